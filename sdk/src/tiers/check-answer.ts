import { isObject } from '../arguments/rules.ts'
import { shown } from '../arguments/shown.ts'
import type { TierAnswer } from './tier-job.ts'

/**
 * What a job of the method has answered, which may have been written by anybody, in any language.
 *
 * @throws TypeError for what is no answer, naming the field.
 */
export function checkedAnswer(method: string, answer: unknown): TierAnswer<unknown> {
  const wrong = (field: string, problem: string, given: unknown): never => {
    throw new TypeError(`${field} of ${method} ${problem}, not ${shown(given)}`)
  }
  if (!isObject(answer)) return wrong('the answer', 'must be an object with a value', answer)
  const { value, ageMs, leftMs, tags }: Partial<TierAnswer<unknown>> = answer
  for (const [field, ms] of Object.entries({ ageMs, leftMs })) {
    if (typeof ms !== 'number' || ms < 0) wrong(field, 'must be milliseconds, 0 or more', ms)
  }
  const isTags = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')
  if (!isTags) wrong('tags', 'must be a list of texts', tags)
  return { value, ageMs, leftMs, tags } as TierAnswer<unknown>
}
