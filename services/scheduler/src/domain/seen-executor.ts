/** An executor that runs the method of a job, as the job's explanation looks at it. */
import type { Gate } from './gate.ts'
import type { SessionId } from './ids.ts'

export interface SeenExecutor {
  readonly sessionId: SessionId
  readonly name: string
  readonly pools: readonly string[]
  readonly seenTime: Date
  readonly attached: boolean
  readonly draining: boolean
  readonly inDoubt: boolean
  /** In the lane of the job. */
  readonly slots: number
  readonly used: number
  readonly servesPool: boolean
  /** The parameters of the job fit what it announced. */
  readonly fits: boolean
}

export function isTaking({ attached, draining, inDoubt }: SeenExecutor): boolean {
  return attached && !draining && !inDoubt
}

/** Undefined where there is room: it is about to be assigned. */
export function roomFor(
  executors: readonly SeenExecutor[],
  ahead: number,
): Extract<Gate, { cause: 'no-executor' | 'no-fit' | 'no-slot' }> | undefined {
  const serving = executors.filter((executor) => isTaking(executor) && executor.servesPool)
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
