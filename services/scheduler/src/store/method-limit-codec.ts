/** Limits within the definition of a method: by the names of the columns of method_limits, into which SQL copies them (announced-limits.ts). */
import type { MethodLimit } from '../domain/method-limit.ts'
import type { LimitRow } from './method-limits.ts'
import { limitFromRow } from './method-limits.ts'
import { type Field, isRecord } from './stored-shape.ts'

export const announcedLimits: Field<readonly MethodLimit[]> = {
  read: (stored) =>
    Array.isArray(stored) && stored.every(isLimit)
      ? stored.map((limit) => limitFromRow({ ...NO_LIMIT, ...limit }))
      : undefined,
  write: (limits) =>
    limits.map(({ keyExpression, concurrencyMax, rate, queuedMax }) => ({
      key_expression: keyExpression,
      max_concurrency: concurrencyMax,
      rate: rate?.count,
      rate_period_ms: rate?.periodMs,
      burst: rate?.burst,
      max_queued: queuedMax,
    })),
}

const NO_LIMIT: LimitRow = {
  namespace: '',
  method: '',
  key_expression: '',
  max_concurrency: null,
  rate: null,
  rate_period_ms: null,
  burst: null,
  max_queued: null,
  announced: true,
}

function isLimit(stored: unknown): stored is Partial<LimitRow> {
  if (!isRecord(stored)) return false
  const { key_expression: expression, ...numbers } = stored
  return (
    typeof expression === 'string' &&
    Object.values(numbers).every((value) => typeof value === 'number')
  )
}
