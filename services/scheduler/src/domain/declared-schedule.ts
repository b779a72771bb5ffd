/**
 * Schedules that code declares (row K1), beside what operators change by hand.
 *
 * Invariants:
 *  1. Only a version above the one that was applied last changes anything: two deployments side by side do not fight.
 *  2. Of a higher version that is applied which says something else than the last one did; all else stays as operators left it.
 *  3. What code says nothing of any more stays; it is removed where a version says so.
 */
import type { Timing } from './due-times.ts'
import { sameValue } from './same-value.ts'
import type { Schedule, ScheduleTerms } from './schedule.ts'

/** What code says of a schedule. */
export interface Said {
  readonly terms: ScheduleTerms
  readonly isPaused: boolean
}

export interface Declaration {
  readonly id: string
  /** From 1. */
  readonly version: number
  /** Whom its jobs run for; empty: whoever declares it. */
  readonly runAs: string
  /** Undefined: it is removed. */
  readonly said: Said | undefined
}

/** What was applied last. */
export type Declared = Pick<Declaration, 'version' | 'said'>

/** What is there under the id. */
export interface Found {
  readonly schedule: Schedule | undefined
  readonly declared: Declared | undefined
}

export type Decision =
  | { readonly kind: 'unchanged' }
  /** Somebody has created it by a call. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'create'; readonly said: Said }
  | { readonly kind: 'change'; readonly schedule: Schedule; readonly change: DeclaredChange }
  | { readonly kind: 'remove'; readonly schedule: Schedule | undefined }

/** What becomes different; undefined: nothing. */
export interface DeclaredChange {
  readonly job: ScheduleTerms['job'] | undefined
  /** All of the terms but the job. */
  readonly terms: Omit<ScheduleTerms, 'job'> | undefined
  readonly isPaused: boolean | undefined
}

export function decide({ version, said }: Declaration, { schedule, declared }: Found): Decision {
  if (declared !== undefined && version <= declared.version) return { kind: 'unchanged' }
  if (said === undefined) {
    return { kind: 'remove', schedule: schedule?.predefined ? schedule : undefined }
  }
  if (schedule === undefined) return { kind: 'create', said }
  if (!schedule.predefined) return { kind: 'taken' }
  return { kind: 'change', schedule, change: changeOf(schedule, declared?.said, said) }
}

function changeOf(schedule: Schedule, before: Said | undefined, said: Said): DeclaredChange {
  const { job: jobNow, ...now } = schedule.terms
  const { job, ...wanted } = said.terms
  const { job: jobBefore, ...last } = before?.terms ?? { job: undefined }
  const merged = merge(now, 'timing' in last ? last : undefined, wanted)
  const jobSaid = !sameValue(job, jobBefore) && !sameValue(job, jobNow)
  const isPaused = schedule.pauseReason !== undefined
  const pauseSaid = said.isPaused !== before?.isPaused && said.isPaused !== isPaused
  return {
    job: jobSaid ? job : undefined,
    terms: sameValue(merged, now) ? undefined : merged,
    isPaused: pauseSaid ? said.isPaused : undefined,
  }
}

type TermsBesideJob = Omit<ScheduleTerms, 'job'>

function merge(
  now: TermsBesideJob,
  before: TermsBesideJob | undefined,
  said: TermsBesideJob,
): TermsBesideJob {
  const { timing, ...rest } = said
  const { timing: timingNow, ...restNow } = now
  const { timing: timingBefore, ...restBefore } = before ?? { timing: undefined }
  return {
    ...newer(restNow, restBefore, rest),
    timing: mergeTiming(timingNow, timingBefore, timing),
  }
}

/** What it is due by is one field: an operator's interval is no anchor for the expressions of the code. */
function mergeTiming(now: Timing, before: Timing | undefined, said: Timing): Timing {
  const [dueBy, rest] = parted(said)
  const [dueByNow, restNow] = parted(now)
  const [dueByBefore, restBefore] = before === undefined ? [undefined, {}] : parted(before)
  return {
    ...newer(restNow, restBefore, rest),
    ...(sameValue(dueBy, dueByBefore) ? dueByNow : dueBy),
  }
}

function parted({ crons, intervalMs, anchorTime, ...rest }: Timing) {
  return [{ crons, intervalMs, anchorTime }, rest] as const
}

/** Field by field: what is said anew, else what is there now. */
function newer<T extends object>(now: T, before: Partial<T>, said: T): T {
  const fields = (Object.keys({ ...now, ...said }) as (keyof T)[]).map((field) => [
    field,
    sameValue(said[field], before[field]) ? now[field] : said[field],
  ])
  return Object.fromEntries(fields)
}
