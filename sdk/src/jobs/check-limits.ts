/** Limits of definitions, looked at before an executor announces them (row J20). */
import { isLonger } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import { shown } from '../arguments/shown.ts'
import type { JobLimit, RateLimit } from './method.ts'

type Refuse = (field: string, problem: string) => never

const COUNT_MAX = 2 ** 31 - 1
const LIMIT_FIELDS: readonly string[] = [
  'per',
  'concurrencyMax',
  'rate',
  'queuedMax',
] satisfies (keyof JobLimit)[]
const RATE_FIELDS: readonly string[] = ['count', 'periodMs', 'burst'] satisfies (keyof RateLimit)[]

/** Refuses limits that are none, and two of a kind. */
export function checkLimits(limits: readonly JobLimit[] | undefined, refuse: Refuse): void {
  if (limits === undefined) return
  if (!Array.isArray(limits)) refuse('limits', `must be a list, not ${shown(limits)}`)
  for (const [index, limit] of limits.entries()) checkLimit(`limits[${index}]`, limit, refuse)
  const ofKeys = limits.filter(({ per }) => per !== undefined && per !== '').length
  if (ofKeys > 1 || limits.length - ofKeys > 1) {
    refuse('limits', 'must be one for the method as a whole, one with `per`, or both')
  }
}

function checkLimit(field: string, limit: JobLimit, refuse: Refuse): void {
  checkFields(field, limit, LIMIT_FIELDS, refuse)
  const { per = '', concurrencyMax, rate, queuedMax } = limit
  if (typeof per !== 'string' || isLonger(per, LIMITS.keyExpressionCharactersMax)) {
    refuse(
      `${field}.per`,
      `must be a text of at most ${LIMITS.keyExpressionCharactersMax} characters`,
    )
  }
  checkCount(`${field}.concurrencyMax`, concurrencyMax, refuse)
  checkCount(`${field}.queuedMax`, queuedMax, refuse)
  if (rate !== undefined) checkRate(`${field}.rate`, rate, refuse)
  const isNone = [concurrencyMax, rate, queuedMax].every((each) => each === undefined)
  if (per === '' && isNone) {
    refuse(field, 'limits nothing: give concurrencyMax, rate, queuedMax or per')
  }
}

function checkRate(field: string, rate: RateLimit, refuse: Refuse): void {
  checkFields(field, rate, RATE_FIELDS, refuse)
  const { count, periodMs = 1_000, burst } = rate
  if (count === undefined) refuse(field, 'must have a count')
  checkCount(`${field}.count`, count, refuse)
  checkCount(`${field}.burst`, burst, refuse)
  if (!(typeof periodMs === 'number' && periodMs >= 1 && periodMs <= LIMITS.durationMsMax)) {
    refuse(`${field}.periodMs`, `must be from 1 to ${LIMITS.durationMsMax}, not ${shown(periodMs)}`)
  }
}

function checkCount(field: string, count: number | undefined, refuse: Refuse): void {
  if (count === undefined) return
  if (!(Number.isInteger(count) && count >= 1 && count <= COUNT_MAX)) {
    refuse(field, `must be a whole number from 1 to ${COUNT_MAX}, not ${shown(count)}`)
  }
}

function checkFields(what: string, of: object, known: readonly string[], refuse: Refuse): void {
  if (typeof of !== 'object' || of === null) refuse(what, `must be an object, not ${shown(of)}`)
  for (const name of Object.keys(of)) {
    if (!known.includes(name)) refuse(`${what}.${name}`, `is not one of ${known.join(', ')}`)
  }
}
