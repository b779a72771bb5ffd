import type { JobMethod, ParamsOf, Received, ResultOf } from '../jobs/method.ts'
import { runAll } from './fan-out.ts'
import type { JobHandle } from './job-handle.ts'
import type { StartTarget } from './job-spec.ts'
import type {
  RunAllOptions,
  RunOptions,
  StartManyOptions,
  StartOptions,
  WaitOptions,
} from './options.ts'
import type { Session } from './session.ts'
import { startMany, startManySettled } from './start-many.ts'
import { runOne, startOne } from './start-one.ts'
import type { StartOutcome } from './start-outcome.ts'
import { asCompleted, type WaitAnswer, waitForSeveral } from './waits.ts'

/** The parameters of a call: they may be left out where the job takes none. */
export type CallArguments<I, O> = undefined extends I
  ? [params?: I, options?: O]
  : [params: I, options?: O]

/** A method's name; none for the type of a job, whose parameters are checked by the form for it. */
type Untyped<R> = [R] extends [JobMethod] ? never : string

/**
 * Starting jobs and waiting for them. What to start is a job or method, whose schema checks the parameters before they
 * are sent; or the name of one. With a name, the type of the job may be given, `startJob<typeof delayReport>('reports.delays',
 * params)`, of which an `import type` is enough; the executor checks the parameters then.
 */
export class SessionCalls {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  /**
   * Starts a job (row J1). Answered means durable; the job belongs to no connection (row J7). Repeated
   * under the same request id while the scheduler is unavailable (row J19).
   *
   * @throws OffstageError with the refusal's reason: PARAMS_INVALID with the fields (row J2), JOB_KEY_TAKEN
   *   with the holder (row J4), QUEUE_FULL, SERVICE_UNREACHABLE, …
   */
  startJob<P, R, I>(
    job: JobMethod<P, R, I>,
    ...rest: CallArguments<I, StartOptions>
  ): Promise<JobHandle<Received<R>>>
  startJob<R = unknown>(
    method: Untyped<R>,
    params?: unknown,
    options?: StartOptions,
  ): Promise<JobHandle<R>>
  startJob<M extends JobMethod>(
    method: string,
    ...rest: CallArguments<ParamsOf<M>, StartOptions>
  ): Promise<JobHandle<ResultOf<M>>>
  startJob<R>(target: StartTarget, params?: unknown, options: StartOptions = {}) {
    return startOne<R>(this.#session, target, params, options)
  }

  /**
   * Starts many jobs, 500 to a call, 8 calls at a time; handles in the order of `paramsList`. With `inlineWaitMs`, handles of
   * jobs that ended in it know their completion already.
   *
   * @throws StartJobsError when any was refused; its `outcomes` has the others' handles. So it has where the start was
   *   broken off with jobs started, by the signal or by what `each` threw: that is its `cause`.
   */
  startJobs<P, R, I>(
    job: JobMethod<P, R, I>,
    paramsList: readonly I[],
    options?: StartManyOptions<I>,
  ): Promise<JobHandle<Received<R>>[]>
  startJobs<R = unknown>(
    method: Untyped<R>,
    paramsList: readonly unknown[],
    options?: StartManyOptions,
  ): Promise<JobHandle<R>[]>
  startJobs<M extends JobMethod>(
    method: string,
    paramsList: readonly ParamsOf<M>[],
    options?: StartManyOptions<ParamsOf<M>>,
  ): Promise<JobHandle<ResultOf<M>>[]>
  startJobs<I, R>(target: StartTarget, list: readonly I[], options: StartManyOptions<I> = {}) {
    return startMany<I, R>(this.#session, target, list, options)
  }

  /**
   * As {@link startJobs}, but a refused job is an answer: an outcome for each, in order. Parameters that do not fit or
   * cannot be written as JSON are refused with PARAMS_INVALID, naming the field.
   */
  startJobsSettled<P, R, I>(
    job: JobMethod<P, R, I>,
    paramsList: readonly I[],
    options?: StartManyOptions<I>,
  ): Promise<StartOutcome<Received<R>>[]>
  startJobsSettled<R = unknown>(
    method: Untyped<R>,
    paramsList: readonly unknown[],
    options?: StartManyOptions,
  ): Promise<StartOutcome<R>[]>
  startJobsSettled<M extends JobMethod>(
    method: string,
    paramsList: readonly ParamsOf<M>[],
    options?: StartManyOptions<ParamsOf<M>>,
  ): Promise<StartOutcome<ResultOf<M>>[]>
  startJobsSettled<I, R>(
    target: StartTarget,
    list: readonly I[],
    options: StartManyOptions<I> = {},
  ) {
    return startManySettled<I, R>(this.#session, target, list, options)
  }

  /**
   * Starts a job and waits for its result, inline for the first 0.8 s (row L1).
   * @throws JobFailedError, JobCanceledError; OffstageError where the start is refused.
   */
  run<P, R, I>(job: JobMethod<P, R, I>, ...rest: CallArguments<I, RunOptions>): Promise<Received<R>>
  run<R = unknown>(method: Untyped<R>, params?: unknown, options?: RunOptions): Promise<R>
  run<M extends JobMethod>(
    method: string,
    ...rest: CallArguments<ParamsOf<M>, RunOptions>
  ): Promise<ResultOf<M>>
  run<R>(target: StartTarget, params?: unknown, options: RunOptions = {}) {
    return runOne<R>(this.#session, target, params, options)
  }

  /**
   * Runs a job over portions of data with limited parallelism and one combined progress; results in
   * the order of `paramsList` (row L8). When one fails or cannot be started, or the signal is aborted, nothing more is
   * started, the unfinished are canceled and the call rejects with the first failure.
   */
  runAll<P, R, I>(
    job: JobMethod<P, R, I>,
    paramsList: readonly I[],
    options?: RunAllOptions<I>,
  ): Promise<Received<R>[]>
  runAll<R = unknown>(
    method: Untyped<R>,
    paramsList: readonly unknown[],
    options?: RunAllOptions,
  ): Promise<R[]>
  runAll<M extends JobMethod>(
    method: string,
    paramsList: readonly ParamsOf<M>[],
    options?: RunAllOptions<ParamsOf<M>>,
  ): Promise<ResultOf<M>[]>
  runAll<I, R>(target: StartTarget, list: readonly I[], options: RunAllOptions<I> = {}) {
    return runAll<I, R>(this.#session, target, list, options)
  }

  /** Waits until all have ended. Never throws because of a job's own error (row A3). */
  waitAll<H extends JobHandle>(
    handles: readonly H[],
    options: WaitOptions = {},
  ): Promise<WaitAnswer<H>> {
    return waitForSeveral(this.#session, handles, handles.length, options)
  }

  /**
   * Waits until at least one has ended; at once where one had. Nothing to wait for is satisfied (rows J9, A3). To take one job
   * after another as they end, iterate {@link asCompleted}.
   */
  waitAny<H extends JobHandle>(
    handles: readonly H[],
    options: WaitOptions = {},
  ): Promise<WaitAnswer<H>> {
    return waitForSeveral(this.#session, handles, Math.min(1, handles.length), options)
  }

  /** Hands out jobs one after another as they end, until none is left or the time is up (row A3). */
  asCompleted<H extends JobHandle>(
    handles: readonly H[],
    options: WaitOptions = {},
  ): AsyncIterableIterator<H> {
    return asCompleted(this.#session, handles, options)
  }
}

/** What clients and job contexts share; see {@link SessionCalls}. */
export type JobCalls = Pick<SessionCalls, keyof SessionCalls>
