/** Limits on the jobs of a method (row J20), in the words of the SDK. */
import { durationFrom, msFrom } from '@offstage/proto/durations'
import type { MethodLimit as WireLimit } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rule, type Rules } from '../arguments/check-options.ts'
import { text } from '../arguments/rules.ts'
import { listUpTo, millisWithin, textUpTo, wholeWithin } from './limit-rules.ts'

/** A method may have two: one for the method as a whole, and one for each value of an expression. Both hold. */
export interface MethodLimit {
  readonly method: string
  /**
   * A CEL expression over `params`, `labels`, `owner`, `key` and `pool`, such as `params.tenant`: each of its values is limited, and they
   * take turns. Default: the method as a whole.
   */
  readonly per?: string
  /** How many may run at once, those that wait for their children included. Default: any number. */
  readonly concurrencyMax?: number
  /** How many may begin in a time. Default: any number. */
  readonly rate?: RateLimit
  /** How many may wait to begin, whatever for: starts beyond it are refused, QUEUE_FULL. Default: any number. */
  readonly queuedMax?: number
}

/** So many in each period, and so many at once after a pause. */
export interface RateLimit {
  readonly count: number
  /** Default 1,000. */
  readonly periodMs?: number
  /** Default: the count. */
  readonly burst?: number
}

const COUNT_MAX = 2 ** 31 - 1
const count = wholeWithin(1, COUNT_MAX)

const RATE_RULES: Rules<RateLimit> = {
  count,
  periodMs: millisWithin(1, LIMITS.durationMsMax),
  burst: count,
}

const rate: Rule = (value, name) => {
  const { count: given } = checkOptions(name, value as RateLimit, RATE_RULES)
  if (given === undefined) throw new TypeError(`${name} must have a count`)
}

const RULES: Rules<MethodLimit> = {
  method: text,
  per: textUpTo(LIMITS.keyExpressionCharactersMax),
  concurrencyMax: count,
  rate,
  queuedMax: count,
}

/** A list of limits, each of a method. */
export const methodLimits: Rule = listUpTo(LIMITS.methodLimitsMax, (value, name) => {
  const { method } = checkOptions(name, value as MethodLimit, RULES)
  if (method === undefined) throw new TypeError(`${name} must have a method`)
})

export function wireLimitFrom(limit: MethodLimit): WireLimit {
  const { method, per = '', concurrencyMax = 0, rate: given, queuedMax = 0 } = limit
  return {
    method,
    keyExpression: per,
    maxConcurrency: concurrencyMax,
    rate: given?.count ?? 0,
    ratePeriod: durationFrom(given?.periodMs),
    burst: given?.burst ?? 0,
    maxQueued: queuedMax,
  }
}

export function methodLimitFrom(limit: WireLimit): MethodLimit {
  const { method, keyExpression, maxConcurrency, ratePeriod, burst, maxQueued } = limit
  return {
    method,
    ...(keyExpression === '' ? {} : { per: keyExpression }),
    ...(maxConcurrency === 0 ? {} : { concurrencyMax: maxConcurrency }),
    ...(limit.rate === 0
      ? {}
      : { rate: { count: limit.rate, periodMs: msFrom(ratePeriod) ?? 1_000, burst } }),
    ...(maxQueued === 0 ? {} : { queuedMax: maxQueued }),
  }
}
