import type { StandardSchemaV1 } from '@standard-schema/spec'
import { checkDefinition } from './check-definition.ts'
import type { JobContext } from './context.ts'

/**
 * Where a handler runs (row A1). `inline`: many at once on the event loop of one thread, for handlers that wait for
 * I/O. `task`: on a shared pool of threads, for short work that computes. `work`: on a thread of its
 * own, for long or endless work.
 */
export type LaneName = 'inline' | 'task' | 'work'

/** When and how often a failed attempt is repeated (row J16). */
export interface RetryOptions {
  /** Attempts in all, the first included: 1 to 1,000. Default 1, no retry. */
  readonly maxAttempts?: number
  /** Pause before the second attempt, in milliseconds. Default 1,000. */
  readonly initialBackoffMs?: number
  /** Factor from one pause to the next: 1 to 100. Default 2. */
  readonly backoffMultiplier?: number
  /** Longest pause, in milliseconds. Default 300,000 (5 min). */
  readonly backoffMsMax?: number
  /** Share of each pause that is random: 0 to 1. Default 0.2. */
  readonly jitter?: number
}

/** Time limits in milliseconds, each above 0; one that is not set does not limit (row J17). */
export interface DeadlineOptions {
  /** Longest stay in the queue; past it the job fails without having run. */
  readonly queueMs?: number
  /** Longest run of one attempt; past it the attempt is stopped, fails and may be retried. */
  readonly attemptMs?: number
  /** Longest life over all attempts; past it the job fails and is not retried. */
  readonly totalMs?: number
  /** Longest silence (no progress, message or heartbeat); past it the attempt fails. */
  readonly heartbeatMs?: number
}

/**
 * A job method: what executors register and callers start (row J1).
 *
 * `P` is what `run` receives, `R` what callers get, `I` what callers pass: with a schema that fills in
 * defaults or transforms, `I` is its input and `P` its output.
 */
export interface JobDefinition<P = unknown, R = unknown, I = P> {
  /** Tells definitions from other exports of a module; see {@link isJobDefinition}. */
  readonly kind: 'offstage.job'
  /**
   * Stable name such as `reports.build`, kept across deployments: segments of letters, digits, `_`
   * and `-` joined by dots, at most 200 characters.
   */
  readonly method: string
  /** One sentence for people, at most 1,000 characters. */
  readonly description?: string
  /**
   * Any Standard Schema (zod, valibot, arktype, …). Parameters are checked against it before a start
   * leaves the client and again before `run` (row J2). Default: nothing is checked.
   */
  readonly params?: StandardSchemaV1<I, P>
  /** Checked by the executor before the result is recorded. It should check, not transform. */
  readonly result?: StandardSchemaV1<unknown, R>
  /** The lane when a start names none. Default `inline`. */
  readonly lane?: LaneName
  /** The retry policy when a start names none. Default: one attempt. */
  readonly retry?: RetryOptions
  /** Deadlines where a start names none. Default: none. */
  readonly deadlines?: DeadlineOptions
  /**
   * The handler. May run more than once for one job: after a failure that is retried, or when its
   * executor was lost. Returning nothing makes it a procedure (rows L6, A4). What it throws becomes the job's
   * error; {@link NonRetryableError} ends the retries.
   */
  run(job: JobContext, params: P): Promise<R> | R
}

/** What {@link defineJob} takes: a {@link JobDefinition} but for its `kind`. */
export type JobInit<P, R, I> = Omit<JobDefinition<P, R, I>, 'kind' | 'run'>

/**
 * Defines a job (rows J1, J2). Types follow from the schemas or, without them, from `run`; a wrong or
 * missing parameter does not compile at the start.
 *
 * ```ts
 * export const greet = defineJob({
 *   method: 'greetings.greet',
 *   params: z.object({ name: z.string() }),
 *   run: async (job, { name }) => `Hello ${name}`,
 * })
 * ```
 *
 * @throws TypeError naming the field, where the definition is malformed: at definition, so that it
 *   shows when the module is loaded.
 */
export function defineJob<R, P = void, I = P>(
  definition: JobInit<P, R, I> & {
    readonly result: StandardSchemaV1<unknown, R>
    run(job: JobContext, params: P): Promise<NoInfer<R>> | NoInfer<R>
  },
): JobDefinition<P, R, I>
export function defineJob<R, P = void, I = P>(
  definition: JobInit<P, R, I> & {
    readonly result?: undefined
    run(job: JobContext, params: P): Promise<R> | R
  },
): JobDefinition<P, R, I>
export function defineJob<P, R, I>(
  definition: Omit<JobDefinition<P, R, I>, 'kind'>,
): JobDefinition<P, R, I> {
  checkDefinition(definition)
  return Object.freeze({ ...definition, kind: 'offstage.job' })
}

/**
 * Tells a job definition from anything else a module may export. Holds across copies of this package,
 * since it asks for the shape and not for a class.
 */
export function isJobDefinition(value: unknown): value is JobDefinition {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'offstage.job' &&
    'method' in value &&
    typeof value.method === 'string' &&
    'run' in value &&
    typeof value.run === 'function'
  )
}
