/** What callers do to jobs that are there. */
import type { ActBy } from '../domain/act.ts'
import type { CanceledJob, CancelRequest, RetriedJob, RetryRequest } from '../domain/held-job.ts'
import type { JobId } from '../domain/ids.ts'

export interface JobChanges {
  cancel(request: CancelRequest): Promise<CanceledJob[]>
  /** Starts one anew that has failed or was canceled. */
  retry(request: RetryRequest): Promise<RetriedJob>
}

/** One job to be removed or pinned, where it is of `owner`; undefined: of anybody. */
export interface HistoryChange {
  readonly namespace: string
  readonly jobId: JobId
  readonly owner: string | undefined
  readonly by: ActBy
}

/** What callers do to single jobs of the history. */
export interface HistoryStore {
  remove(asked: HistoryChange): Promise<'removed' | 'unfinished' | 'keeps-parent' | 'absent'>
  /** False where there is no such job. */
  pin(asked: HistoryChange, pinned: boolean): Promise<boolean>
}
