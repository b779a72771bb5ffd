/** What becomes of the attempts of a thread that has ended. */
import type { HandlerEnd } from '../domain/attempt.ts'
import { placeOf } from '../domain/place-of.ts'
import { guiltyOf } from './guilty.ts'
import type { HandlerThread, ThreadEnd } from './handler-thread.ts'
import type { Lane } from './lane.ts'
import { MOVES_MAX, type RunningAttempt } from './running-attempt.ts'

export interface ThreadLoss {
  /** Whose code it was, where that is known and one of its lane's attempts had begun. */
  readonly guilty: { readonly lane: Lane; readonly method: string } | undefined
  /** Those that had not begun, for another thread. */
  readonly waiting: readonly RunningAttempt[]
  /** How those end that no other takes. */
  readonly ofWaiting: HandlerEnd
  /** How those end that had begun. */
  readonly begun: ReadonlyMap<RunningAttempt, HandlerEnd>
}

/**
 * @param given what was on it
 * @param timesHandedBack how often a job was, in a row
 */
export function lossBy(
  thread: HandlerThread,
  end: ThreadEnd,
  given: readonly RunningAttempt[],
  timesHandedBack: (jobId: string) => number,
): ThreadLoss {
  const [begun = [], waiting = []] = [true, false].map((has) =>
    given.filter(({ key }) => thread.hasBegun(key) === has),
  )
  const { attempts, method } = guiltyOf(thread, end, begun, timesHandedBack)
  const endOf = (running: RunningAttempt): HandlerEnd => {
    if (!attempts.has(running)) return { kind: 'terminated' }
    // Where nobody can tell whose code it was, what it has thrown is not for the owner of each.
    const isItsOwn = method !== undefined && !thread.wraps(running.method)
    return isItsOwn ? end : withoutMessage(end)
  }
  const lane = begun[0]?.lane
  return {
    guilty: lane !== undefined && method !== undefined ? { lane, method } : undefined,
    waiting,
    // What the code of others has thrown is not for the owner of a job that had not begun.
    ofWaiting: lostBy(withoutMessage(end)),
    begun: new Map(begun.map((running) => [running, endOf(running)])),
  }
}

function lostBy(end: ThreadEnd): HandlerEnd {
  if (end.kind === 'lost') return end
  const detail = `${MOVES_MAX + 1} threads did not begin it.`
  return { kind: 'lost', detail, reason: 'EXECUTOR_THREAD_LOST' }
}

function withoutMessage(end: ThreadEnd): ThreadEnd {
  return end.kind === 'lost' && end.thrown ? { ...end, detail: placeOf(end.detail) } : end
}
