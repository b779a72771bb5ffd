/** Where limits of methods on the wire meet the domain's (row J20). */
import { durationFrom, msFrom } from '@offstage/proto/durations'
import {
  collectViolations,
  durationFault,
  methodFault,
  type Note,
} from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { keyExpressionFault } from '../admission/limit-keys.ts'
import type { MethodLimit, Rate } from '../domain/method-limit.ts'
import { invalidFields } from '../refusals.ts'

const RATE_PERIOD_MS = 1_000
/** What is wrong has to fit into the answer. */
const VIOLATIONS_TOLD_MAX = 10

/** INVALID_FIELD names what is wrong with which. */
export function limitsFrom(limits: readonly proto.MethodLimit[]): MethodLimit[] {
  const violations = collectViolations((note) => {
    if (limits.length > LIMITS.methodLimitsMax) {
      note('limits', `must be at most ${LIMITS.methodLimitsMax}`)
    } else noteLimits('limits', limits, note)
  })
  if (violations.length > 0) throw invalidFields(violations.slice(0, VIOLATIONS_TOLD_MAX))
  return limits.map(limitFrom)
}

/** What is wrong with those of a definition; `field` is where they stand. */
export function noteAnnouncedLimits(
  field: string,
  { name, limits }: { readonly name: string; readonly limits: readonly proto.MethodLimit[] },
  note: Note,
): void {
  if (limits.length > ANNOUNCED_MAX) note(field, `must be at most ${ANNOUNCED_MAX}`)
  const told = limits.slice(0, ANNOUNCED_MAX)
  for (const [index, { method }] of told.entries()) {
    if (method !== '' && method !== name)
      note(`${field}[${index}].method`, `must be ${name}, or empty`)
  }
  noteLimits(field, told.map(ofMethod(name)), note)
}

/** Undefined where there are none. */
export function announcedLimitsFrom({
  name,
  limits,
}: {
  readonly name: string
  readonly limits: readonly proto.MethodLimit[]
}): readonly MethodLimit[] | undefined {
  return limits.length === 0 ? undefined : limits.map(ofMethod(name)).map(limitFrom)
}

const ANNOUNCED_MAX = 2
const ofMethod = (method: string) => (limit: proto.MethodLimit) => ({ ...limit, method })

function noteLimits(list: string, limits: readonly proto.MethodLimit[], note: Note): void {
  const seen = new Map<string, number>()
  for (const [index, limit] of limits.entries()) {
    const field = `${list}[${index}]`
    noteLimit(field, limit, note)
    const { method, keyExpression } = limit
    const place = `${method} ${keyExpression === ''}`
    const first = seen.get(place)
    if (first === undefined) seen.set(place, index)
    else {
      const other = keyExpression === '' ? 'has no key_expression, as' : 'has a key_expression, as'
      note(field, `${other} ${list}[${first}] of ${method}: it may have one of each`)
    }
  }
}

function noteLimit(field: string, limit: proto.MethodLimit, note: Note): void {
  const { method, keyExpression, maxConcurrency, rate, ratePeriod, burst, maxQueued } = limit
  note(`${field}.method`, methodFault(method))
  if (keyExpression !== '') note(`${field}.key_expression`, keyExpressionFault(keyExpression))
  for (const [name, value] of Object.entries({ maxConcurrency, rate, burst, maxQueued })) {
    if (value < 0) note(`${field}.${FIELDS[name]}`, 'must not be negative; 0 is for no limit')
  }
  const periodMs = msFrom(ratePeriod)
  if (periodMs !== undefined) {
    const fault = periodMs < 1 ? 'must be at least 1 ms' : durationFault(periodMs)
    note(`${field}.rate_period`, fault)
  }
  if (rate === 0 && (ratePeriod !== undefined || burst !== 0)) {
    note(`${field}.rate`, 'must be given with rate_period and burst')
  }
  if (keyExpression === '' && maxConcurrency === 0 && rate === 0 && maxQueued === 0) {
    note(field, 'limits nothing: give max_concurrency, rate, max_queued or a key_expression')
  }
}

const FIELDS: Readonly<Record<string, string>> = {
  maxConcurrency: 'max_concurrency',
  rate: 'rate',
  burst: 'burst',
  maxQueued: 'max_queued',
}

function limitFrom(limit: proto.MethodLimit): MethodLimit {
  const { method, keyExpression, maxConcurrency, maxQueued } = limit
  return {
    method,
    keyExpression,
    concurrencyMax: maxConcurrency || undefined,
    rate: rateFrom(limit),
    queuedMax: maxQueued || undefined,
  }
}

function rateFrom({ rate, ratePeriod, burst }: proto.MethodLimit): Rate | undefined {
  if (rate === 0) return undefined
  return { count: rate, periodMs: msFrom(ratePeriod) ?? RATE_PERIOD_MS, burst: burst || rate }
}

export function limitTo(limit: MethodLimit): proto.MethodLimit {
  const { method, keyExpression, concurrencyMax = 0, rate, queuedMax = 0 } = limit
  return {
    method,
    keyExpression,
    maxConcurrency: concurrencyMax,
    rate: rate?.count ?? 0,
    ratePeriod: rate && durationFrom(rate.periodMs),
    burst: rate?.burst ?? 0,
    maxQueued: queuedMax,
  }
}
