/** How long finished jobs are kept (row J12), in the words of the SDK. */
import { durationFrom, msFrom } from '@offstage/proto/durations'
import type {
  ExpiredJobs as WireExpiredJobs,
  Retention as WireRetention,
} from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rule, type Rules } from '../arguments/check-options.ts'
import { numberRule, oneOf } from '../arguments/rules.ts'
import { type JobKindName, KINDS, kindNameOf } from './job-info.ts'
import { type JobStateName, namesOf, stateFrom } from './job-state.ts'
import { listUpTo, millisWithin } from './limit-rules.ts'

/** How a job ended. */
export type EndStateName = Extract<JobStateName, 'succeeded' | 'failed' | 'canceled'>

/** How long finished jobs of one kind and end are kept; whichever limit is reached first. */
export interface RetentionRule {
  readonly kind: JobKindName
  /** Default: each of the three that no other rule of the kind names. */
  readonly state?: EndStateName
  /** The newest so many, at least 1; `Infinity` for any number. Default: of system jobs 100,000, of others 1,000,000. */
  readonly countMax?: number
  /** How long after their end, up to ten years. Default: 30 days where they failed; else 3 days of system jobs, 7 of others. */
  readonly ageMsMax?: number
}

/** Finished jobs of one kind and end that the next sweep would remove. */
export interface ExpiredJobs {
  readonly kind: JobKindName
  readonly state: EndStateName
  /** How many there are of the kind and end, pinned ones left out. */
  readonly keptCount: number
  /** How many of them would go. */
  readonly expiredCount: number
  /** When the oldest of them ended. */
  readonly oldest?: Date
}

/** A rule as it counts. */
export type RetentionInForce = Required<RetentionRule>

const count: Rule = numberRule(
  'a whole number from 1, or Infinity',
  (value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value >= 1),
)

const RULES: Rules<RetentionRule> = {
  kind: oneOf(Object.keys(KINDS)),
  state: oneOf(['succeeded', 'failed', 'canceled'] satisfies EndStateName[]),
  countMax: count,
  ageMsMax: millisWithin(0, LIMITS.durationMsMax),
}

/** As many as there are kinds and ends. */
const RULES_MAX = 9

/** A list of rules, each of one kind. */
export const retentionRules: Rule = listUpTo(RULES_MAX, (value, name) => {
  const { kind } = checkOptions(name, value as RetentionRule, RULES)
  if (kind === undefined) throw new TypeError(`${name} must have a kind`)
})

export function retentionFrom(rules: readonly RetentionRule[]): WireRetention[] {
  return rules.map(({ kind, state, countMax = 0, ageMsMax }) => ({
    kind: KINDS[kind],
    state: state === undefined ? 0 : stateFrom(state),
    maxCount: countMax === Number.POSITIVE_INFINITY ? -1n : BigInt(countMax),
    maxAge: durationFrom(ageMsMax),
  }))
}

export function retentionInForceFrom(rule: WireRetention): RetentionInForce {
  const { kind, state, maxCount, maxAge } = rule
  return {
    kind: kindNameOf(kind),
    state: endNameOf(state),
    countMax: maxCount < 0n ? Number.POSITIVE_INFINITY : Number(maxCount),
    ageMsMax: msFrom(maxAge) ?? 0,
  }
}

export function expiredFrom(expired: WireExpiredJobs): ExpiredJobs {
  const { kind, state, keptCount, expiredCount, oldestFinishTime: oldest } = expired
  const counts = { keptCount: Number(keptCount), expiredCount: Number(expiredCount) }
  return { kind: kindNameOf(kind), state: endNameOf(state), ...counts, oldest }
}

/** A state of a newer service, which this version does not know, counts as canceled. */
export function endNameOf(state: WireRetention['state']): EndStateName {
  const { state: name } = namesOf(state)
  return name === 'succeeded' || name === 'failed' ? name : 'canceled'
}
