/** Whether the executors seen have room for one more job. */
import type { Gate } from './gate.ts'
import { isFor, isTaking, type SeenExecutor } from './seen-executor.ts'

/** Undefined where there is room: it is about to be assigned. */
export function roomFor(
  executors: readonly SeenExecutor[],
  ahead: number,
): Extract<Gate, { cause: 'no-executor' | 'no-fit' | 'no-slot' }> | undefined {
  const serving = executors.filter((executor) => isTaking(executor) && isFor(executor))
  if (serving.length === 0) return { cause: 'no-executor', executors }
  const fitting = serving.filter(({ fits }) => fits)
  if (fitting.length === 0) return { cause: 'no-fit', ...slotsOf(serving) }
  const free = sum(fitting.map(({ slots, used }) => Math.max(slots - used, 0)))
  return free > ahead ? undefined : { cause: 'no-slot', ...slotsOf(fitting) }
}

function slotsOf(executors: readonly SeenExecutor[]) {
  return {
    sessionIds: executors.map(({ sessionId }) => sessionId),
    slots: sum(executors.map(({ slots }) => slots)),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((one, other) => one + other, 0)
}
