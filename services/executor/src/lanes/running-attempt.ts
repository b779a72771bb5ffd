import type { AttemptOrder, HandlerEnd, KeyedAttempt } from '../domain/attempt.ts'
import type { StopCause } from '../domain/verdict.ts'
import type { HandlerThread } from './handler-thread.ts'
import type { Lane } from './lane.ts'

/** An attempt that so many threads beyond the first did not begin ends with the last of them. */
export const MOVES_MAX = 3

/** An attempt that has not ended, as the supervisor knows it. */
export interface RunningAttempt extends KeyedAttempt {
  readonly method: string
  readonly lane: Lane
  thread: HandlerThread
  /** To be given to another thread; dropped once the handler is known to have been called. */
  order: AttemptOrder | undefined
  /** How often another thread got it. */
  moves: number
  parked: boolean
  stop: { cause: StopCause; readonly timer: NodeJS.Timeout } | undefined
}

/** A handler stops only when it was told to; whatever says otherwise is not our runner. */
export function isPossible(running: RunningAttempt, end: HandlerEnd): boolean {
  return end.kind !== 'stopped' || running.stop !== undefined
}
