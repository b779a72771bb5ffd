import type { StandardSchemaV1 } from '@standard-schema/spec'
import { checkMethod } from './check-method.ts'
import type { JobContext } from './context.ts'
import type { JobMethod } from './method.ts'

/** A job method with its handler: what executors register (row J1). */
export interface JobDefinition<P = unknown, R = unknown, I = P> extends JobMethod<P, R, I> {
  /** Tells definitions from other exports of a module; see {@link isJobDefinition}. */
  readonly kind: 'offstage.job'
  /**
   * The handler. May run more than once for one job: after a failure that is retried, or when its
   * executor was lost. Returning nothing makes it a procedure (rows L6, A4). What it throws becomes the job's
   * error; {@link NonRetryableError} ends the retries.
   */
  run(job: JobContext, params: P): Promise<R> | R
}

/** What {@link defineJob} takes besides the handler. */
export type JobInit<P, R, I> = Omit<JobMethod<P, R, I>, 'kind'>

/** The result of a job whose method does not say it is what its handler returns. */
type Told<R, T> = unknown extends R ? T : R

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
 * Takes the handler apart from the rest where callers are to import a method alone: `defineJob(greet, async (job, { name })
 * => …)`; see `defineMethod`.
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
export function defineJob<R, P, I, T extends R>(
  definition: JobMethod<P, R, I> & { run(job: JobContext, params: P): Promise<T> | T },
): JobDefinition<P, Told<R, T>, I>
export function defineJob<R, P, I, T extends R>(
  method: JobMethod<P, R, I>,
  run: (job: JobContext, params: P) => Promise<T> | T,
): JobDefinition<P, Told<R, T>, I>
export function defineJob<P, R, I>(
  method: JobInit<P, R, I>,
  handler?: JobDefinition<P, R, I>['run'],
): JobDefinition<P, R, I> {
  checkMethod(method)
  const run = handler ?? ('run' in method ? method.run : undefined)
  if (!isHandler<P, R, I>(run)) throw new TypeError(`job ${method.method}: run must be a function`)
  return Object.freeze({ ...method, run, kind: 'offstage.job' })
}

function isHandler<P, R, I>(run: unknown): run is JobDefinition<P, R, I>['run'] {
  return typeof run === 'function'
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
