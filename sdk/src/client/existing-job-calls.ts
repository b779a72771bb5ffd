import { JobState } from '@offstage/proto/jobs'
import { text } from '../arguments/rules.ts'
import type { JobMethod, Received } from '../jobs/method.ts'
import {
  type BulkAnswer,
  type BulkOptions,
  type CancelJobsOptions,
  cancelJobs,
  deleteJobs,
  type RetryJobsOptions,
  retryJobs,
} from './bulk.ts'
import { checkTarget } from './check-arguments.ts'
import type { CancelOutcomeName } from './completion.ts'
import { SessionCalls } from './job-calls.ts'
import { type CountOptions, countJobs, type JobCount } from './job-counts.ts'
import { JobHandle } from './job-handle.ts'
import type { JobFilter, JobInfo, JobPage, PageOptions } from './job-info.ts'
import { JobRecords } from './job-records.ts'
import type { CancelOptions, RetryJobOptions } from './options.ts'
import type { Session } from './session.ts'
import type { WaitExplanation } from './wait-explanation.ts'

/** Jobs that are there, whoever started them: found, counted, explained, canceled, started anew, kept and removed. */
export class ExistingJobCalls extends SessionCalls {
  readonly #session: Session
  readonly #records: JobRecords

  constructor(session: Session) {
    super(session)
    this.#session = session
    this.#records = new JobRecords(session)
  }

  /**
   * A handle for a job started elsewhere (row J7). Asks nothing: a job that does not exist shows at the first call. With its method
   * the type of the result is known, and so are the wrappers of its codec (row J22).
   */
  job<P, R, I>(id: string, method: JobMethod<P, R, I>): JobHandle<Received<R>>
  job<R = unknown>(id: string): JobHandle<R>
  job<R>(id: string, method?: JobMethod): JobHandle<R> {
    text(id, 'the id')
    if (method !== undefined) checkTarget(method)
    const unknown = JobState.JOB_STATE_UNSPECIFIED
    return new JobHandle<R>(this.#session, id, '', unknown, undefined, method?.codec)
  }

  /** Cancels a job by its id (row J10); as {@link JobHandle.cancel}. */
  async cancel(id: string, options?: CancelOptions): Promise<CancelOutcomeName | undefined> {
    return this.job(id).cancel(options)
  }

  /**
   * Cancels the unfinished jobs a filter selects, as {@link cancel} does each (row J25). It is a job itself, which schedulers carry
   * out: wait for it, watch it, cancel it. With `validateOnly` it tells which jobs it would be, and does nothing. It concerns jobs
   * that were started before, those of others only where each could be canceled.
   * @throws OffstageError INVALID_FIELD for an empty filter without `all`.
   */
  cancelJobs<O extends CancelJobsOptions>(filter: JobFilter, options?: O): Promise<BulkAnswer<O>> {
    return cancelJobs(this.#session, filter, options ?? {}) as Promise<BulkAnswer<O>>
  }

  /** Starts the failed and canceled jobs a filter selects anew, as {@link retryJob} does each and {@link cancelJobs} does all. */
  retryJobs<O extends RetryJobsOptions>(filter: JobFilter, options?: O): Promise<BulkAnswer<O>> {
    return retryJobs(this.#session, filter, options ?? {}) as Promise<BulkAnswer<O>>
  }

  /** Removes the finished jobs a filter selects but pinned ones, as {@link deleteJob} does each and {@link cancelJobs} does all. */
  deleteJobs<O extends BulkOptions>(filter: JobFilter, options?: O): Promise<BulkAnswer<O>> {
    return deleteJobs(this.#session, filter, options ?? {}) as Promise<BulkAnswer<O>>
  }

  /** Lists jobs, newest first, page after page as they are iterated (row J8). */
  listJobs(
    filter: JobFilter = {},
    options: Omit<PageOptions, 'pageToken'> = {},
  ): AsyncIterableIterator<JobInfo> {
    return this.#records.list(filter, options)
  }

  /** Reads one page of jobs, newest first (row J8). */
  listJobsPage(filter: JobFilter = {}, options: PageOptions = {}): Promise<JobPage> {
    return this.#records.page(filter, options)
  }

  /** Counts the jobs a filter selects, by state, method and minute: newest minute first, then by method and state. */
  countJobs(filter: JobFilter = {}, options: CountOptions = {}): Promise<JobCount[]> {
    return countJobs(this.#session, filter, options)
  }

  /** Tells why a job waits, naming what holds it back. */
  explainJob(id: string): Promise<WaitExplanation> {
    return this.#records.explain(id)
  }

  /**
   * Starts a failed or canceled job anew under its own id (row J25); as {@link JobHandle.retry}. Tells where it stands.
   * @throws OffstageError JOB_NOT_RETRYABLE, JOB_KEY_TAKEN, JOB_NOT_FOUND
   */
  retryJob(id: string, options: RetryJobOptions = {}): Promise<JobInfo> {
    return this.#records.retry(id, options)
  }

  /**
   * Removes a finished job and all that is its own (row J12): attempts, messages, progress, and large parameters and results in
   * temp storage. Not repeated by itself.
   * @throws OffstageError JOB_NOT_FINISHED for one that has not ended; JOB_NOT_FOUND where there is none, or none any more.
   */
  deleteJob(id: string): Promise<void> {
    return this.#records.delete(id)
  }

  /** Keeps a job whatever the retention says, from now on or once it has ended (row J12). Idempotent. */
  pinJob(id: string): Promise<void> {
    return this.#records.pin(id, true)
  }

  /** Leaves a job to the retention again. Idempotent. */
  unpinJob(id: string): Promise<void> {
    return this.#records.pin(id, false)
  }
}
