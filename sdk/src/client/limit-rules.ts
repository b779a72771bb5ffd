/** Rules for arguments the services limit: the same table, so that what they would refuse is never sent. */
import {
  addressFault,
  collectViolations,
  contentTypeFault,
  type Fault,
  checkLabels as noteLabels,
  poolFault,
  scopeFault,
  textFault,
  versionFault,
} from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import type { Rule } from '../arguments/check-options.ts'
import { numberRule, text, texts } from '../arguments/rules.ts'
import { shown } from '../arguments/shown.ts'

/** A text of so many characters at most. */
export function textUpTo(charactersMax: number): Rule {
  return (value, name) => {
    text(value, name)
    const fault = textFault(value as string, charactersMax)
    if (fault !== undefined) throw new RangeError(`${name} ${fault}`)
  }
}

/** One by which things are told apart: half a character would be sent as another one, and be that of others. */
export function nameUpTo(charactersMax: number): Rule {
  const some = textUpTo(charactersMax)
  return (value, name) => {
    some(value, name)
    if ((value as string).isWellFormed()) return
    throw new RangeError(`${name} has half of a character (a lone surrogate), which cannot be sent`)
  }
}

export const contentType: Rule = (value, name) => {
  text(value, name)
  const fault = contentTypeFault(value as string)
  if (fault !== undefined) throw new RangeError(`${name} ${fault}`)
}

/** An address as temp storage gives it, or an empty text for none. */
export const address = formed(addressFault)
/** A scope as temp storage gives it, or an empty text for none. */
export const scope = formed(scopeFault)
export const pool = formed(poolFault)
export const requiredVersion = formed(versionFault)

function formed(faultOf: (text: string) => Fault): Rule {
  return (value, name) => {
    text(value, name)
    const fault = faultOf(value as string)
    if (fault !== undefined) throw new RangeError(`${name} ${fault}, not ${shown(value)}`)
  }
}

/** Milliseconds within these bounds. */
export function millisWithin(min: number, max: number): Rule {
  return numberRule(`milliseconds from ${min} to ${max}`, (value) => value >= min && value <= max)
}

/** A whole number within these bounds. */
export function wholeWithin(min: number, max: number): Rule {
  return numberRule(
    `a whole number from ${min} to ${max}`,
    (value) => Number.isInteger(value) && value >= min && value <= max,
  )
}

export const labelRule: Rule = (value, name) => {
  texts(value, name)
  const labels = value as Readonly<Record<string, string>>
  const [wrong] = collectViolations((note) => noteLabels(name, labels, note))
  if (wrong !== undefined) throw new RangeError(`${wrong.field} ${wrong.description}`)
}

/** A list of which each value keeps the rule. */
export function listUpTo(countMax: number, each: Rule): Rule {
  return (values, name) => {
    if (!Array.isArray(values)) throw new TypeError(`${name} must be an array`)
    if (values.length > countMax) throw new RangeError(`${name} must be at most ${countMax}`)
    for (const value of values) each(value, name)
  }
}

export const priority = wholeWithin(-LIMITS.priorityMax, LIMITS.priorityMax)
export const inlineWaitMs = millisWithin(0, LIMITS.inlineWaitMsMax)
export const key = nameUpTo(LIMITS.keyCharactersMax)
export const displayName = textUpTo(LIMITS.displayNameCharactersMax)
