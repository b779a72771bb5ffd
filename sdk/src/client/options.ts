import type { ChildrenPolicy, DeadlineOptions, LaneName, RetryOptions } from '../jobs/method.ts'
import type { JobMessage, Progress } from './events.ts'

/** What every waiting call takes. */
export interface WaitOptions {
  /**
   * Longest wait in milliseconds, 0 or more. Running out of it is an answer, not an error (row J9). Infinity, the
   * default, is no limit, and so are 24 days and more, which timers cannot do.
   */
  readonly timeoutMs?: number
  /**
   * Ends the wait, not the job: the call rejects with the signal's reason. Default in a handler: the signal of its job, so
   * that a canceled job does not go on with what a cancel left of its children.
   */
  readonly signal?: AbortSignal
}

/** What a wait for one job takes. */
export interface CompletionOptions extends WaitOptions {
  /** Called with each newer progress (row J15). */
  readonly onProgress?: (progress: Progress) => void
  /** Called with every message of the job, from the first one, in order, each once (row J15). */
  readonly onMessage?: (message: JobMessage) => void
  /** Whether the completion is to carry the messages. Default true; false saves a call where they were not pushed. */
  readonly messages?: boolean
}

/** What to do when the key is held by an unfinished job (row J4). */
export type KeyConflict = 'refuse' | 'return-running' | 'queue-behind'

/** Where a job runs (row L7). */
export type ExecutionMode = 'background' | 'foreground' | 'auto'

/** A text, number, bigint, boolean, `Date`, reference, or a flat object of these. */
export type JobKey = string | number | bigint | boolean | object

/** What a start may say besides method and parameters. */
export interface StartOptions {
  /**
   * At most one unfinished job has a (namespace, method, key) (row J4): a text of at most 200 characters, or a value that is
   * compared by content (row C2), such as `{ tenant: 'acme', day: new Date(0) }`. Default: no key.
   */
  readonly key?: JobKey
  /** Default `refuse`: the start rejects with reason JOB_KEY_TAKEN, whose metadata names the holder (row J4). */
  readonly onKeyConflict?: KeyConflict
  /**
   * The same id never creates a second job (row J19), at most 100 characters. Default: a new one for each
   * start, so that a start whose answer was lost is repeated safely.
   */
  readonly requestId?: string
  /**
   * How long the start waits for the end before it answers, 0 to 60,000 ms; a job that ends in it is
   * answered in the same call. Default 0: at once; for `run`, which wants the result, 800 (row L1).
   */
  readonly inlineWaitMs?: number
  /** Default: the lane of the definition (row A1). */
  readonly lane?: LaneName
  /**
   * Called with the same parameters where the method is unknown, since no executor ever announced it (row A4). Where this one is
   * unknown too the start rejects with METHOD_UNKNOWN, naming both. Its limits and rights are those that count then. Default: none.
   */
  readonly fallbackMethod?: string
  /** The caller's scope in temp storage, where the handler may put values. Default: the client's scope. */
  readonly scope?: string
  /**
   * A reserved address the result goes to, whatever its size (row L4). This, the scope and an address for the additional result are
   * looked at first: what storage does not have is refused, naming the option, before the job is made.
   */
  readonly resultAddress?: string
  /** Ask for an additional result (row L5), at a reserved address where a text is given. Default false. */
  readonly additionalResult?: boolean | string
  /** Do not start before (row J18): a time, or milliseconds from now by the scheduler's clock. */
  readonly startAfter?: Date | number
  /** Run only on executors that serve this pool, at most 63 characters (row J21). Default: the default pool. */
  readonly pool?: string
  /**
   * Run only on executors whose code has this `version` of the method; it waits until one is attached. Retries keep to it, children
   * inherit nothing. In the foreground it is that of this process. Default: whichever version.
   */
  readonly requiredVersion?: string
  /** -1,000 to 1,000, higher first (row J18). Default 0. */
  readonly priority?: number
  /** At most 32 (row J18). */
  readonly labels?: Readonly<Record<string, string>>
  /** A name for people, at most 200 characters (row J18). Default: the method. */
  readonly displayName?: string
  /** Default: that of the definition (row J16). */
  readonly retry?: RetryOptions
  /** Default: those of the definition (row J17). */
  readonly deadlines?: DeadlineOptions
  /**
   * Nobody waits for an answer, as where an event starts it: while somebody has the namespace exclusively it waits in the queue, where
   * other starts reject with NAMESPACE_EXCLUSIVE (row L10). Default false.
   */
  readonly automatic?: boolean
  /** The lease that it belongs to. Default: that by which the client has its namespace exclusively; else that of the parent. */
  readonly leaseId?: string
  /** Whether a cancel of the parent cancels this job too. Default false: a child outlives its parent (row J11). */
  readonly cancelWithParent?: boolean
  /**
   * The parent ends only when this job has (row A5): its function may return before, and a failure of this job is the parent's, unless
   * the parent's `childrenPolicy` says otherwise. Canceled with the parent, and where that fails or tries again. Rejects with
   * INVALID_FIELD outside of a job, PARENT_HAS_ENDED where the parent has. Default false: detached.
   */
  readonly attached?: boolean
  /** What becomes of this job where attached children of its own do not succeed. Default: that of the definition, else `all`. */
  readonly childrenPolicy?: ChildrenPolicy
  /**
   * Whether it runs on an executor or in this process (row L7), whose client has been connected with a `foreground` runner that knows the
   * handler. `auto` runs it here under a debugger, where `OFFSTAGE_FOREGROUND` is `on` or the runner is preferred, where no executor that is
   * attached runs the method in its pool, or where all their slots are with jobs of the same owner that wait; else on an executor. The
   * record is the same. Should this process end, a forced job fails with EXECUTOR_SESSION_LOST, and one that `auto` put here goes on on
   * an executor. Default `background`.
   */
  readonly mode?: ExecutionMode
  /**
   * The session, attached by the same user, in which it runs in the foreground; excludes the mode `background`. Default with the other
   * modes: that of this client's runner.
   */
  readonly executorSessionId?: string
  /** Gives up the call, not the job. */
  readonly signal?: AbortSignal
}

/** What of it can be said beforehand too, as by a schedule, or to another than a service, as by SQL. */
export type JobTerms = Pick<
  StartOptions,
  | 'key'
  | 'onKeyConflict'
  | 'lane'
  | 'pool'
  | 'requiredVersion'
  | 'priority'
  | 'labels'
  | 'displayName'
  | 'retry'
  | 'deadlines'
>

/** What a bulk start may say: the same for all jobs, or by `each` for one of them. */
export interface StartManyOptions<I = unknown> extends Omit<StartOptions, 'requestId' | 'key'> {
  /** Options of one job, over the common ones; its `inlineWaitMs` and `signal` are not looked at. */
  readonly each?: (
    params: I,
    index: number,
  ) => Omit<StartOptions, 'mode' | 'executorSessionId'> | undefined
}

/** What `run` takes. */
export interface RunOptions extends StartOptions {
  /** Called with each newer progress (row J15). */
  readonly onProgress?: (progress: Progress) => void
  /** Called with every message in order (row J15). */
  readonly onMessage?: (message: JobMessage) => void
}

/** The combined progress of a fan-out (row L8). */
export interface RunAllProgress {
  /** Mean over all jobs, 0 to 100; ended ones count as 100. */
  readonly percent: number
  /** Jobs that have ended. */
  readonly finished: number
  /** Jobs in all. */
  readonly total: number
}

/** What `runAll` takes. */
export interface RunAllOptions<I = unknown> extends StartManyOptions<I> {
  /** How many jobs are unfinished at a time, 1 to 10,000. Default 1,000 (row L8). */
  readonly concurrency?: number
  /** Called whenever the combined progress has changed. */
  readonly onProgress?: (progress: RunAllProgress) => void
}

/** What a retry of an ended job may say (row J25). */
export interface RetryJobOptions {
  /**
   * The same id never starts the job anew twice, at most 100 characters. Default: a new one for each call, so that a call whose answer
   * was lost is repeated safely.
   */
  readonly requestId?: string
  /**
   * The version of its method that it requires from now on, as in a start; empty: none, it goes to whichever executor. Default: the one it
   * has required before.
   */
  readonly requiredVersion?: string
  /** Gives up the call, not the job. */
  readonly signal?: AbortSignal
}

/** What a cancel may say (row J10). */
export interface CancelOptions {
  /** Why, for the record and the handler, at most 1,000 characters. */
  readonly reason?: string
  /** How long the handler may take before it is ended by force, 0 to 3,600,000 ms. Default 10,000. */
  readonly graceMs?: number
  /** Cancel the unfinished children too (row J11). Default false. */
  readonly cascade?: boolean
}
