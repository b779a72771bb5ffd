/** Keys of jobs as the text that is sent, so that equal values are one key in every process and language. */

import { createHash } from 'node:crypto'
import { isLonger } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import type { Rule } from '../arguments/check-options.ts'
import { shown } from '../arguments/shown.ts'
import { paramToText } from '../values/params-text.ts'
import { key as textRule } from './limit-rules.ts'

/** The text of a key: a text itself, the canonical text of another value, or, where that is too long, its SHA-256. */
export function keyText(key: unknown): string {
  if (key === undefined) return ''
  if (typeof key === 'string') return key
  const canonical = paramToText(key) ?? ''
  if (!isLonger(canonical, LIMITS.keyCharactersMax)) return canonical
  return `sha256:${createHash('sha256').update(canonical).digest('hex')}`
}

export const keyRule: Rule = (key, name) => {
  if (typeof key === 'string') textRule(key, name)
  else if (key === null) throw new TypeError(`${name} is null; leave it out where there is none`)
  else if (paramToText(key) === undefined) {
    throw new TypeError(
      `${name} must be a text or a value compared by content: a number, bigint, boolean, date, ` +
        `reference, or a flat object of these; not ${shown(key)}`,
    )
  }
}
