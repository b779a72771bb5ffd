/**
 * What callers pass, looked at before anything is done with it: what would be ignored, or taken for something else.
 * Errors name the argument, what it must be and what it was: RangeError for numbers out of range, TypeError for all
 * else. Nothing here needs Node.
 */
import { shown } from './shown.ts'

/** Throws where a value is not what it must be. */
export type Rule = (value: unknown, name: string) => void

/** One rule for each option there is. */
export type Rules<O> = { readonly [K in keyof Required<O>]: Rule }

/**
 * Checks the options of `call`; those that are undefined count as not given, those without a rule are unknown. Returns
 * them as they were when checked: a getter may answer differently each time.
 */
export function checkOptions<O extends object>(call: string, options: O, rules: Rules<O>): O {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`the options of ${call} must be an object, not ${shown(options)}`)
  }
  const checked: Partial<Record<keyof O, unknown>> = {}
  for (const name of Object.keys(options)) {
    const value: unknown = options[name as keyof O]
    if (value === undefined) continue
    if (!Object.hasOwn(rules, name)) {
      const known = Object.keys(rules).join(', ')
      throw new TypeError(`${call} has no option ${name}; it has ${known}`)
    }
    rules[name as keyof O](value, name)
    checked[name as keyof O] = value
  }
  return checked as O
}
