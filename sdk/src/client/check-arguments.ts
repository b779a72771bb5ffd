/**
 * What callers pass, looked at before any call is made: what could not be sent, or would be sent as something else.
 * Errors name the argument, what it must be and what it was: RangeError for numbers out of range, TypeError for all
 * else. Limits of length and the like are the services' to refuse, with INVALID_FIELD.
 */
import { DURATION_MS_MAX } from '../jobs/check-definition.ts'
import { shown } from '../jobs/shown.ts'
import { followJob } from './handle-symbols.ts'
import type { JobHandle } from './job-handle.ts'
import type { StartTarget } from './job-spec.ts'

/** Throws where a value is not what it must be. */
export type Rule = (value: unknown, name: string) => void

/** One rule for each option there is. */
export type Rules<O> = { readonly [K in keyof Required<O>]: Rule }

/** Checks the options of `call`; those that are undefined count as not given, those without a rule are unknown. */
export function checkOptions<O extends object>(call: string, options: O, rules: Rules<O>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`the options of ${call} must be an object, not ${shown(options)}`)
  }
  for (const name of Object.keys(options)) {
    const value: unknown = options[name as keyof O]
    if (value === undefined) continue
    if (!Object.hasOwn(rules, name)) {
      const known = Object.keys(rules).join(', ')
      throw new TypeError(`${call} has no option ${name}; it has ${known}`)
    }
    rules[name as keyof O](value, name)
  }
}

/** A definition, or the name of a method. */
export function checkTarget(target: StartTarget): void {
  const method: unknown = typeof target === 'object' && target !== null ? target.method : target
  if (typeof method === 'string') return
  throw new TypeError(
    `what to start must be a job made by defineJob, or the name of a method, not ${shown(target)}`,
  )
}

/** Parameters of many jobs. */
export function checkParamsList(list: readonly unknown[]): void {
  checkArray('the list of parameters', list)
}

/** Handles to be waited for. */
export function checkHandles(handles: readonly JobHandle[]): void {
  checkArray('what is waited for', handles)
  for (const handle of handles) {
    if (typeof handle === 'object' && handle !== null && followJob in handle) continue
    throw new TypeError(`what is waited for must be handles of jobs, not ${shown(handle)}`)
  }
}

function checkArray(what: string, list: unknown): void {
  if (Array.isArray(list)) return
  const isIterable = typeof list === 'object' && list !== null && Symbol.iterator in list
  const advice = isIterable ? '; spread it, as in [...list]' : ''
  throw new TypeError(`${what} must be an array, not ${shown(list)}${advice}`)
}

/** A rule for values that are no numbers. */
export function rule(want: string, fits: (value: unknown) => boolean): Rule {
  return (value, name) => {
    if (!fits(value)) throw new TypeError(`${name} must be ${want}, not ${shown(value)}`)
  }
}

/** A rule for numbers; NaN fits none. */
export function numberRule(want: string, fits: (value: number) => boolean): Rule {
  return (value, name) => {
    if (typeof value === 'number' && fits(value)) return
    const Wrong = typeof value === 'number' ? RangeError : TypeError
    throw new Wrong(`${name} must be ${want}, not ${shown(value)}`)
  }
}

export function oneOf(names: readonly string[]): Rule {
  return rule(`one of ${names.join(', ')}`, (value) => names.includes(value as string))
}

export const text = rule('a text', isText)
export const someText = rule('a text that is not empty', (value) => isText(value) && value !== '')
export const flag = rule('true or false', (value) => typeof value === 'boolean')
export const callback = rule('a function', (value) => typeof value === 'function')
export const abortSignal = rule(
  'an AbortSignal',
  (value) => isObject(value) && 'aborted' in value && 'addEventListener' in value,
)
export const texts = rule(
  'an object of texts',
  (value) => isObject(value) && Object.values(value).every(isText),
)
export const date = rule('a valid Date', isDate)
/** What an int32 of the API holds. */
export const whole = numberRule(
  'a whole number below 2^31',
  (value) => Number.isInteger(value) && Math.abs(value) < 2 ** 31,
)
export const spanMs = numberRule(
  `milliseconds from 0 to ${DURATION_MS_MAX}`,
  (value) => value >= 0 && value <= DURATION_MS_MAX,
)
/** How long to wait: without a limit at Infinity. */
export const timeoutMs = numberRule('milliseconds, 0 or more', (value) => value >= 0)
export const dateOrSpanMs: Rule = (value, name) => {
  if (typeof value === 'number') spanMs(value, name)
  else rule('a valid Date, or milliseconds', isDate)(value, name)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDate(value: unknown): boolean {
  return value instanceof Date && !Number.isNaN(value.getTime())
}
