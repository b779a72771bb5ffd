import { checkMethod } from './check-method.ts'
import type { JobMethod } from './method.ts'

/**
 * Defines a method without its handler, for a module that callers import: nothing of the handler, nor of what it
 * imports, comes along. `defineJob` takes it and the handler. Types follow from the schemas; where there are
 * none they can be named, as in `defineMethod<{ dataSet: string }, Report>({ method: 'reports.delays' })`.
 *
 * ```ts
 * export const greet = defineMethod({
 *   method: 'greetings.greet',
 *   params: z.object({ name: z.string() }),
 *   result: z.string(),
 * })
 * ```
 *
 * @throws TypeError naming the field, where the method is malformed.
 */
export function defineMethod<P = void, R = unknown, I = P>(
  method: Omit<JobMethod<P, R, I>, 'kind'>,
): JobMethod<P, R, I> {
  checkMethod(method)
  return Object.freeze({ ...method, kind: 'offstage.method' })
}
