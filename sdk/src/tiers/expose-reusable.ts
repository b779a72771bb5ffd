import { isObject, isText } from '../arguments/rules.ts'
import { shown } from '../arguments/shown.ts'
import { defineJob, type JobDefinition } from '../jobs/definition.ts'
import { NonRetryableError } from '../jobs/errors.ts'
import type { JobMethod } from '../jobs/method.ts'
import { runWithValuesIdentity } from '../values/contexts.ts'
import { readableParams } from '../values/params-text.ts'
import type { Reusable } from '../values/reusable.ts'
import { tierSideOf } from '../values/tier-side.ts'
import { answerAs, answersSession, CALL_CHARACTERS_MAX, WAITING_CALLS_MAX } from './answering.ts'
import type { ReusableMethod, TierAnswer, TierAsk } from './tier-job.ts'

/** How a function is exposed: as the jobs are defined that its calls are. */
export interface ExposeOptions
  extends Pick<
    JobMethod,
    'codec' | 'lane' | 'limits' | 'startableBy' | 'description' | 'deadlines'
  > {
  /** What callers start. Default `reusable.` and the name of the function. */
  readonly method?: string
  /** Whether it computes in privileged mode, with the rights of a service; it answers calls in this mode alone. Default false. */
  readonly privileged?: boolean
}

/** A job that answers for a function. */
export type ExposedReusable<P extends readonly unknown[], V> = ReusableMethod<P, V> &
  JobDefinition<TierAsk, TierAnswer<V>>

/**
 * Lets other processes have the values of a reusable function (row C8): to be exported from a job module, like a job. Each call that reaches it
 * is a job of its caller: who may start the method may ask, the values are kept apart by that user and the mode, and what the
 * caller says of both is compared with that. What it computes is remembered in the thread it runs on, and by the caller.
 *
 * Values travel as results of jobs do, by the `codec`, JSON where none is named. Errors are those of the job, and are not remembered.
 *
 * @throws TypeError for what is not reusable, whose values end with the run that computes them, or an option that is none of a job's.
 */
export function exposeReusable<P extends readonly unknown[], R>(
  fn: Reusable<P, R>,
  options: ExposeOptions = {},
): ExposedReusable<P, Awaited<R>> {
  const side = tierSideOf(fn)
  if (side === undefined) throw new TypeError(`what to expose must be reusable, not ${shown(fn)}`)
  const { name, lifetime } = side
  if (lifetime === 'call') {
    throw new TypeError(`${name} cannot be exposed: its values end with the run that computes them`)
  }
  const { method = `reusable.${name}`, privileged = false, ...terms } = options
  const definition = defineJob<TierAnswer<Awaited<R>>, TierAsk>({
    ...terms,
    method,
    privileged,
    async run(job, ask) {
      const { owner } = job
      const { params, readable, epoch, waiting } = checkedAsk(ask, { owner, privileged })
      await side.reach(epoch)
      const identity = { user: owner, privileged, ...(side.hasTier && { session: answersSession }) }
      return answerAs(job, { method, params, before: waiting }, () =>
        runWithValuesIdentity(identity, async () => {
          const value = await fn(...(readable as unknown as P))
          // JSON has no undefined, and nobody remembers it.
          return { ...(value !== undefined && { value }), ...side.held(readable) } as TierAnswer<
            Awaited<R>
          >
        }),
      )
    },
  })
  return Object.freeze({ ...definition, reusable: name }) as ExposedReusable<P, Awaited<R>>
}

/** Anybody may send a job its parameters: what is none of a call is refused for good. */
function checkedAsk(
  ask: Partial<TierAsk> | undefined,
  { owner, privileged }: { readonly owner: string; readonly privileged: boolean },
): Required<Pick<TierAsk, 'params' | 'epoch' | 'waiting'>> & {
  readonly readable: readonly unknown[]
} {
  if (!isObject(ask)) return refuse('what is asked', `must be an object, not ${shown(ask)}`)
  const { params = '[]', user = owner, privileged: mode = false, epoch = 0, waiting = [] } = ask
  if (user !== owner) refuse('user', `is ${shown(user)}, and the job is for ${shown(owner)}`)
  if (mode !== privileged) refuse('privileged', `is ${shown(mode)}, and must be ${privileged}`)
  if (!Number.isSafeInteger(epoch) || epoch < 0)
    refuse('epoch', 'must be a whole number, 0 or more')
  if (!areCalls(waiting)) {
    refuse('waiting', `must be at most ${WAITING_CALLS_MAX} texts, not ${shown(waiting)}`)
  }
  return { params, readable: readableFrom(params), epoch, waiting }
}

function areCalls(waiting: unknown): boolean {
  return (
    Array.isArray(waiting) &&
    waiting.length <= WAITING_CALLS_MAX &&
    waiting.every((call) => isText(call) && call.length <= CALL_CHARACTERS_MAX)
  )
}

function readableFrom(text: unknown): readonly unknown[] {
  const params = isText(text) ? readableParams(text) : undefined
  return params ?? refuse('params', `must be a list of parameters as text, not ${shown(text)}`)
}

function refuse(field: string, problem: string): never {
  throw new NonRetryableError(`${field} ${problem}`)
}
