import type { HandlerThread, ThreadEnd } from './handler-thread.ts'
import type { RunningAttempt } from './running-attempt.ts'

/** How often a job is handed back because of threads that ended under it and others, and nobody could tell by whose fault. */
const DOUBTS_MAX = 2

export interface Guilty {
  /** Attempts that are charged with the end of the thread; all others that had begun are handed back. */
  readonly attempts: ReadonlySet<RunningAttempt>
  /** The method whose code it was, where that is known: of an attempt that may have ended before. */
  readonly method: string | undefined
}

const NOBODY: Guilty = { attempts: new Set(), method: undefined }

/**
 * Whose fault it was that a thread ended by itself: of whose code it says so at its end; else of the handler that was computing; else of
 * the only one there, of lanes that run one at a time the only one that does not wait for children. Where nobody can tell all are handed back, to run apart from one another, and charged when it goes on.
 *
 * @param begun what had begun on it
 * @param timesHandedBack how often a job was, in a row
 */
export function guiltyOf(
  thread: HandlerThread,
  end: ThreadEnd,
  begun: readonly RunningAttempt[],
  timesHandedBack: (jobId: string) => number,
): Guilty {
  if (end.kind !== 'lost') return NOBODY
  const { culprit } = end
  const key = culprit?.key ?? thread.calling
  const found = begun.filter((running) => running.key === key)
  if (key !== undefined) {
    return { attempts: new Set(found), method: culprit?.method ?? found[0]?.method }
  }
  const alone = begun.length === 1 ? begun : begun.filter(runsAlone)
  if (alone.length === 1) return { attempts: new Set(alone), method: alone[0]?.method }
  const again = begun.filter(({ jobId }) => timesHandedBack(jobId) >= DOUBTS_MAX)
  return { attempts: new Set(again), method: undefined }
}

function runsAlone({ lane, parked }: RunningAttempt): boolean {
  return lane.name !== 'inline' && !parked
}
