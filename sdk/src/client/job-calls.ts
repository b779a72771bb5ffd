import type { JobDefinition } from '../jobs/definition.ts'
import type { JobHandle } from './job-handle.ts'
import type {
  RunAllOptions,
  RunOptions,
  StartManyOptions,
  StartOptions,
  WaitAnswer,
  WaitOptions,
} from './options.ts'
import type { StartOutcome } from './start-outcome.ts'

/** The parameters of a call: they may be left out where the job takes none. */
export type CallArguments<I, O> = undefined extends I
  ? [params?: I, options?: O]
  : [params: I, options?: O]

/** Starting jobs and waiting for them: what clients and job contexts share. */
export interface JobCalls {
  /**
   * Starts a job (row J1). Answered means durable; the job belongs to no connection (row J7). Repeated
   * under the same request id while the scheduler is unavailable (row J19).
   *
   * @throws OffstageError with the refusal's reason: PARAMS_INVALID with the fields (row J2), JOB_KEY_TAKEN
   *   with the holder (row J4), QUEUE_FULL, SERVICE_UNREACHABLE, …
   */
  startJob<P, R, I>(
    job: JobDefinition<P, R, I>,
    ...rest: CallArguments<I, StartOptions>
  ): Promise<JobHandle<R>>
  startJob<R = unknown>(
    method: string,
    params?: unknown,
    options?: StartOptions,
  ): Promise<JobHandle<R>>

  /**
   * Starts many jobs, 500 to a call, 8 calls at a time; handles in the order of `paramsList`. With `inlineWaitMs`, handles of
   * jobs that ended in it know their completion already.
   *
   * @throws StartJobsError when any was refused; its `outcomes` has the others' handles. So it has where the start was
   *   broken off with jobs started, by the signal or by what `each` threw: that is its `cause`.
   */
  startJobs<P, R, I>(
    job: JobDefinition<P, R, I>,
    paramsList: readonly I[],
    options?: StartManyOptions<I>,
  ): Promise<JobHandle<R>[]>
  startJobs<R = unknown>(
    method: string,
    paramsList: readonly unknown[],
    options?: StartManyOptions,
  ): Promise<JobHandle<R>[]>

  /**
   * As {@link startJobs}, but a refused job is an answer: an outcome for each, in order. Parameters that do not fit or
   * cannot be written as JSON are refused with PARAMS_INVALID, naming the field.
   */
  startJobsSettled<P, R, I>(
    job: JobDefinition<P, R, I>,
    paramsList: readonly I[],
    options?: StartManyOptions<I>,
  ): Promise<StartOutcome<R>[]>
  startJobsSettled<R = unknown>(
    method: string,
    paramsList: readonly unknown[],
    options?: StartManyOptions,
  ): Promise<StartOutcome<R>[]>

  /**
   * Starts a job and waits for its result, inline for the first 0.8 s (row L1).
   * @throws JobFailedError, JobCanceledError; OffstageError where the start is refused.
   */
  run<P, R, I>(job: JobDefinition<P, R, I>, ...rest: CallArguments<I, RunOptions>): Promise<R>
  run<R = unknown>(method: string, params?: unknown, options?: RunOptions): Promise<R>

  /**
   * Runs a job over portions of data with limited parallelism and one combined progress; results in
   * the order of `paramsList` (row L8). When one fails or cannot be started, or the signal is aborted, nothing more is
   * started, the unfinished are canceled and the call rejects with the first failure.
   */
  runAll<P, R, I>(
    job: JobDefinition<P, R, I>,
    paramsList: readonly I[],
    options?: RunAllOptions<I>,
  ): Promise<R[]>
  runAll<R = unknown>(
    method: string,
    paramsList: readonly unknown[],
    options?: RunAllOptions,
  ): Promise<R[]>

  /** Waits until all have ended. Never throws because of a job's own error (row A3). */
  waitAll<H extends JobHandle>(handles: readonly H[], options?: WaitOptions): Promise<WaitAnswer<H>>

  /**
   * Waits until at least one has ended; at once where one had. Nothing to wait for is satisfied (rows J9, A3). To take one job
   * after another as they end, iterate {@link asCompleted}.
   */
  waitAny<H extends JobHandle>(handles: readonly H[], options?: WaitOptions): Promise<WaitAnswer<H>>

  /** Hands out jobs one after another as they end, until none is left or the time is up (row A3). */
  asCompleted<H extends JobHandle>(
    handles: readonly H[],
    options?: WaitOptions,
  ): AsyncIterableIterator<H>
}
