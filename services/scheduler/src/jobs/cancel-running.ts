/** Canceling all that runs of a method or a namespace, for who pauses it (row J20). */
import type { JobStore } from '../ports.ts'
import type { Caller } from './caller.ts'
import type { CancelJob } from './cancel-job.ts'

/** Those that run or wait when it is called; `method` undefined: of the whole namespace. */
export type CancelRunning = (
  caller: Caller,
  namespace: string,
  method: string | undefined,
) => Promise<void>

const PAGE = 1_000
/** As a cancel has that names none. */
const GRACE_MS = 10_000

export function createCancelRunning(
  store: Pick<JobStore, 'listHeld'>,
  cancelJob: CancelJob,
): CancelRunning {
  return async (caller, namespace, method) => {
    const reason = `${method === undefined ? 'the namespace' : 'the method'} was paused, and what ran was to end`
    for (let after: string | undefined; ; ) {
      const ids = await store.listHeld(namespace, method, { size: PAGE, after })
      for (const jobId of ids) {
        await cancelJob(caller, { namespace, jobId, reason, graceMs: GRACE_MS, cascade: false })
      }
      if (ids.length < PAGE) return
      after = ids.at(-1)
    }
  }
}
