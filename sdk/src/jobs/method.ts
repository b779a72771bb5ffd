import type { LaneName } from '@offstage/proto/lanes'
import type { RoleName } from '@offstage/proto/roles'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Codec } from './codec.ts'

export type { LaneName, RoleName }

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
  /** Share of each pause that is random: 0 to 1, 0 for none. Default 0.2. */
  readonly jitter?: number
}

/** Time limits in milliseconds, each above 0; one that is not set does not limit (row J17). The error's reason says which was passed. */
export interface DeadlineOptions {
  /** Longest stay in the queue; past it the job fails without having run. */
  readonly queueMs?: number
  /** Longest run of one attempt; past it the attempt is stopped, fails and may be retried. */
  readonly attemptMs?: number
  /** Longest life over all attempts, waits in between included; past it the job fails and is not retried. */
  readonly totalMs?: number
  /**
   * Longest silence (no progress, message or heartbeat), but for waits for children; past it the attempt is stopped, fails and may
   * be retried. 1,000 at least.
   */
  readonly heartbeatMs?: number
}

/**
 * What becomes of a job whose attached children do not all succeed (row A5): `all` waits for all of them and fails then, `first` fails
 * with the first and cancels the others, `ignore` waits for all and succeeds. A failure is of the reason ATTACHED_CHILD_FAILED.
 */
export type ChildrenPolicy = (typeof CHILDREN_POLICIES)[number]
export const CHILDREN_POLICIES = ['all', 'first', 'ignore'] as const

/** Who may start a method: whoever is named by either, and administrators always (row J5). */
export interface StartableBy {
  /** Such as `['operator', 'service']`. */
  readonly roles?: readonly RoleName[]
  /** Users; `*` stands for any characters. At most 100. */
  readonly users?: readonly string[]
}

/** A limit on the jobs of a method, as a whole or for each value of an expression. */
export interface JobLimit {
  /**
   * A CEL expression over `params`, `labels`, `owner`, `key` and `pool`, such as `params.tenant`: each of its values is limited, and they
   * take turns. Default: the method as a whole.
   */
  readonly per?: string
  /** How many may run at once, those that wait for their children included. Default: any number. */
  readonly concurrencyMax?: number
  /** How many may begin in a time. Default: any number. */
  readonly rate?: RateLimit
  /** How many may wait to begin, whatever for: starts beyond it are refused, QUEUE_FULL. Default: any number. */
  readonly queuedMax?: number
}

/** So many in each period, and so many at once after a pause. */
export interface RateLimit {
  readonly count: number
  /** Default 1,000. */
  readonly periodMs?: number
  /** Default: the count. */
  readonly burst?: number
}

/** A CEL expression over `params`, `labels`, `owner`, `key` and `pool` for each label, at most 32. */
export type LabelExpressions = Readonly<Record<string, string>>

/** As a method, so that a method of certain parameters is one of any. */
export type LabelFunction<I> = { of(params: I): Readonly<Record<string, string>> }['of']

/**
 * What callers need of a job: the name of its method, its schemas and its defaults, without the handler. A job made
 * by `defineJob` is one too, so that either can be started.
 *
 * `P` is what the handler receives, `R` what it returns, `I` what callers pass: with a schema that fills in
 * defaults or transforms, `I` is its input and `P` its output.
 */
export interface JobMethod<P = unknown, R = unknown, I = P> {
  /** Tells methods and jobs from other exports of a module. */
  readonly kind: 'offstage.method' | 'offstage.job'
  /**
   * Stable name such as `reports.build`, kept across deployments: segments of letters, digits, `_`
   * and `-` joined by dots, at most 200 characters.
   */
  readonly method: string
  /** One sentence for people, at most 1,000 characters. */
  readonly description?: string
  /**
   * Any Standard Schema (zod, valibot, arktype, …). Parameters are checked against it before a start
   * leaves the client and again before the handler runs (row J2). Default: nothing is checked.
   */
  readonly params?: StandardSchemaV1<I, P>
  /** Checked by the executor before the result is recorded. It should check, not transform. */
  readonly result?: StandardSchemaV1<unknown, R>
  /**
   * How parameters and results become bytes (row J22): `'cbor'` for more than JSON, wrappers for compression or encryption. Callers and
   * executors need the same wrappers; the format is told by each value. Default JSON, in starts that of the client.
   */
  readonly codec?: Codec
  /** The lane when a start names none. Default `inline`. */
  readonly lane?: LaneName
  /** The retry policy when a start names none. Default: one attempt. */
  readonly retry?: RetryOptions
  /** Deadlines where a start names none. Default: none. */
  readonly deadlines?: DeadlineOptions
  /**
   * Labels made of what callers pass, so that a tenant can be found without every caller's help (row J18), over the labels of the start.
   * CEL expressions by the name of the label, such as `{ tenant: 'params.tenant' }`, are evaluated by the scheduler, whoever starts the
   * job and in whatever language; one that is null sets none. A function is called by the client that starts the job, and not for
   * starts by name alone, which know no definition.
   */
  readonly labels?: LabelExpressions | LabelFunction<I>
  /**
   * How many of its jobs run, begin and wait where no administrator has set limits for it (row J20); one that has wins, and stays over
   * deployments. At most two: one for the method as a whole, and one for each value of an expression. What was deployed last holds, until
   * executors say otherwise. Default: any number.
   */
  readonly limits?: readonly JobLimit[]
  /** Who may start it; others are refused with METHOD_NOT_STARTABLE (row J5). Default: whoever may start jobs. */
  readonly startableBy?: StartableBy
  /**
   * The handler acts with the rights of a service, on temp values of others too (row J5). The job, its children and what it puts into
   * storage stay the user's. Default false.
   */
  readonly privileged?: boolean
  /** What becomes of its jobs where attached children do not succeed (row A5). Default `all`. */
  readonly childrenPolicy?: ChildrenPolicy
  /**
   * False: it cannot run in the background, such as where it needs what only its caller's process has (row L7). Starts say `mode:
   * 'foreground'`, or `auto`; others are refused with METHOD_FOREGROUND_ONLY. Default true.
   */
  readonly background?: boolean
  /**
   * Which version of it this code is, for starts that require one (`requiredVersion`), such as while new code runs beside old: 1 to 100
   * letters, digits, ".", "_", "+", ":" and "-". Versions have no order. Default: none, and no job that requires one runs here.
   */
  readonly version?: string
}

/** What callers pass to a job or method: `ParamsOf<typeof delayReport>`. */
export type ParamsOf<M extends JobMethod> =
  M extends JobMethod<unknown, unknown, infer I> ? I : never

/** What callers get of what a handler returns: of a stream its bytes, of which `resultStream()` reads one after another. */
export type Received<R> = R extends AsyncIterable<unknown> ? Buffer : R

/** What callers get from a job or method: `ResultOf<typeof delayReport>`. */
export type ResultOf<M extends JobMethod> =
  M extends JobMethod<unknown, infer R, unknown> ? Received<R> : never
