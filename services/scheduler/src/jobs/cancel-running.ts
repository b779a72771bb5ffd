/** Canceling all that runs of a method, a pool or a namespace, for who pauses it (row J20). */
import type { HeldJobs, JobReads } from '../ports/job-reads.ts'
import type { Caller } from './caller.ts'
import type { CancelJob } from './cancel-job.ts'

/** Those that run or wait when it is called. */
export type CancelRunning = (caller: Caller, namespace: string, which: HeldJobs) => Promise<void>

const PAGE = 1_000
/** As a cancel has that names none. */
const GRACE_MS = 10_000

export function createCancelRunning(
  store: Pick<JobReads, 'listHeld'>,
  cancelJob: CancelJob,
): CancelRunning {
  return async (caller, namespace, which) => {
    const reason = `the ${whatOf(which)} was paused, and what ran was to end`
    for (let after: string | undefined; ; ) {
      const ids = await store.listHeld(namespace, which, { size: PAGE, after })
      for (const jobId of ids) {
        await cancelJob(caller, { namespace, jobId, reason, graceMs: GRACE_MS, cascade: false })
      }
      if (ids.length < PAGE) return
      after = ids.at(-1)
    }
  }
}

function whatOf({ method, pool }: HeldJobs): string {
  if (method !== undefined) return 'method'
  return pool === undefined ? 'namespace' : 'pool'
}
