/** Rules for single arguments; see check-options. */
import type { Rule } from './check-options.ts'
import { shown } from './shown.ts'

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

export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isDate(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime())
}
