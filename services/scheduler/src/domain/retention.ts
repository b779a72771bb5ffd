/** How long finished jobs are kept (row J12): for each kind and each end apart, so that none pushes out another. */
import { JobKind } from './job-kind.ts'
import { JobState } from './job-state.ts'

/** Finished jobs of one kind that ended alike; whichever limit is reached first. */
export interface Retention {
  readonly kind: JobKind
  readonly state: EndState
  /** The newest so many; undefined: any number. */
  readonly countMax: number | undefined
  /** How long after their end. */
  readonly ageMsMax: number
}

export const END_STATES = [JobState.succeeded, JobState.failed, JobState.canceled] as const
export type EndState = (typeof END_STATES)[number]

export function isEndState(state: number): state is EndState {
  return END_STATES.some((end) => end === state)
}

const DAY_MS = 24 * 3_600_000

/** What failed is looked into later than what went well; upkeep of the product itself interests its operator for days. */
export const RETENTION_DEFAULTS: readonly Retention[] = Object.values(JobKind).flatMap((kind) =>
  END_STATES.map((state) => {
    const system = kind === JobKind.system
    const days = state === JobState.failed ? 30 : system ? 3 : 7
    return { kind, state, countMax: system ? 100_000 : 1_000_000, ageMsMax: days * DAY_MS }
  }),
)

const isOf = (kind: JobKind, state: EndState) => (rule: Retention) =>
  rule.kind === kind && rule.state === state

/** Of each kind and end the rule that counts, given those that were set. */
export function retentionInForce(set: readonly Retention[]): Retention[] {
  return RETENTION_DEFAULTS.map((rule) => set.find(isOf(rule.kind, rule.state)) ?? rule)
}

/** Those that say something else than the defaults. */
export function withoutDefaults(rules: readonly Retention[]): Retention[] {
  return rules.filter(({ kind, state, countMax, ageMsMax }) => {
    const usual = RETENTION_DEFAULTS.find(isOf(kind, state))
    return usual?.countMax !== countMax || usual?.ageMsMax !== ageMsMax
  })
}
