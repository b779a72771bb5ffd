/** Limits on the jobs of a method (row J20), in the words of the SDK. */
import { msFrom } from '@offstage/proto/durations'
import type { MethodLimit as WireLimit } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rule, type Rules } from '../arguments/check-options.ts'
import { text } from '../arguments/rules.ts'
import type { JobLimit, RateLimit } from '../jobs/method.ts'
import { jobLimitFrom } from '../jobs/policies.ts'
import { listUpTo, millisWithin, textUpTo, wholeWithin } from './limit-rules.ts'

export type { RateLimit }

/** A method may have two: one for the method as a whole, and one for each value of an expression. Both hold. */
export interface MethodLimit extends JobLimit {
  readonly method: string
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

export function wireLimitFrom({ method, ...limit }: MethodLimit): WireLimit {
  return jobLimitFrom(limit, method)
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
