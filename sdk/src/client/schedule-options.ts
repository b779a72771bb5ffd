/** What is said of a schedule, and what is told of one. */
import { LIMITS } from '@offstage/proto/limits'
import type { Rule, Rules } from '../arguments/check-options.ts'
import { date, oneOf, someText, text } from '../arguments/rules.ts'
import type { JobMethod } from '../jobs/method.ts'
import { keyRule } from './job-key.ts'
import { listUpTo, millisWithin, textUpTo, wholeWithin } from './limit-rules.ts'
import { START_RULES } from './option-rules.ts'
import type { JobTerms } from './options.ts'

/** What happens at a due time while jobs of the schedule are unfinished: nothing, they queue, run beside each other, or give way. */
export type OverlapName = 'skip' | 'queue-one' | 'queue-all' | 'allow' | 'cancel-running'

/** When a schedule is due: by cron expressions or at an interval; see docs/guides/schedules.md. */
export interface ScheduleTimes {
  /** Five or six cron fields; of several each makes it due. */
  readonly cron?: string | readonly string[]
  /** From due time to due time, at least 1 s. */
  readonly intervalMs?: number
  /** Due times of an interval are whole intervals away from it. Default: `begin`, else 1970. */
  readonly anchor?: Date
  /** Due times that one of these cron expressions fits are left out. */
  readonly exclude?: readonly string[]
  /** IANA name. Default `UTC`. */
  readonly timeZone?: string
  /** No due time before it. */
  readonly begin?: Date
  /** No due time at or after it. */
  readonly end?: Date
  /** Each due time is put off by a part of it, up to a day. Default 0. */
  readonly jitterMs?: number
  /** Default `skip`. */
  readonly overlap?: OverlapName
  /** Missed due times no older than this are made up for. Default 1 min. */
  readonly catchUpMs?: number
  /** The newest so many of them, 1 to 1,000. Default 100. */
  readonly catchUpMax?: number
  /** It pauses itself when so many of its jobs have failed in a row. Default 0: never. */
  readonly pauseAfterFailures?: number
}

/** The job that is started. */
export interface ScheduledJob<P, R, I> extends JobTerms {
  /** The job, its method, or the name of one. */
  readonly job: JobMethod<P, R, I> | string
  /**
   * At most 64 KiB. `{{offstage.due_time}}` in a text of JSON becomes the due time, as in the key, the display name and labels; a
   * handler has it as `job.schedule.dueTime`.
   */
  readonly params?: I
}

export interface NewSchedule<P, R, I> extends ScheduleTimes, ScheduledJob<P, R, I> {
  /** Unique in the namespace, at most 200 characters. */
  readonly id: string
  /** The user its jobs run for, where it is another one: for administrators and services. */
  readonly runAs?: string
  /** The same id never creates a second schedule. Default: a new one for each call. */
  readonly requestId?: string
}

/** What is to change; of the job all of it together. */
export interface ScheduleChange<P, R, I> extends ScheduleTimes, Partial<ScheduledJob<P, R, I>> {
  /** Of the schedule as it was read: changes nothing where it is another by now. */
  readonly etag?: string
}

/** A schedule as it stands. */
export interface ScheduleInfo
  extends Required<Omit<ScheduleTimes, 'intervalMs' | 'anchor' | 'begin' | 'end'>>,
    Pick<ScheduleTimes, 'intervalMs' | 'anchor' | 'begin' | 'end'> {
  readonly id: string
  readonly namespace: string
  readonly method: string
  readonly cron: readonly string[]
  readonly key: string
  readonly labels: Readonly<Record<string, string>>
  /** The parameters, where they are JSON and the caller may see them. */
  readonly params: unknown
  readonly paramsHidden: boolean
  /** Whom its jobs run for. */
  readonly owner: string
  readonly creator: string
  readonly etag: string
  readonly isPaused: boolean
  readonly pauseReason: string
  /** Whether it was declared in code. */
  readonly isPredefined: boolean
  readonly nextRun?: Date
  readonly lastDueTime?: Date
  /** Empty for none. */
  readonly lastJobId: string
  readonly failuresInRow: number
  readonly createTime?: Date
  readonly updateTime?: Date
}

const {
  onKeyConflict,
  lane,
  pool,
  requiredVersion,
  priority,
  labels,
  displayName,
  retry,
  deadlines,
} = START_RULES
const crons = listUpTo(LIMITS.cronsMax, textUpTo(LIMITS.cronCharactersMax))
const cron: Rule = (value, name) => crons(typeof value === 'string' ? [value] : value, name)
const anything: Rule = () => {}

export const OVERLAPS: readonly OverlapName[] = [
  'skip',
  'queue-one',
  'allow',
  'cancel-running',
  'queue-all',
]

const COMMON = {
  cron,
  intervalMs: millisWithin(LIMITS.scheduleIntervalMsMin, LIMITS.durationMsMax),
  anchor: date,
  exclude: crons,
  timeZone: text,
  begin: date,
  end: date,
  jitterMs: millisWithin(0, LIMITS.jitterMsMax),
  overlap: oneOf(OVERLAPS),
  catchUpMs: millisWithin(0, LIMITS.durationMsMax),
  catchUpMax: wholeWithin(1, LIMITS.batchMax),
  pauseAfterFailures: wholeWithin(0, LIMITS.batchMax),
  job: anything,
  params: anything,
  key: keyRule,
  onKeyConflict,
  lane,
  pool,
  requiredVersion,
  priority,
  labels,
  displayName,
  retry,
  deadlines,
}

/** What its jobs are started with; labels are made of the parameters, too. */
export function startTermsOf(of: JobTerms): Omit<JobTerms, 'labels'> {
  const { key, onKeyConflict, lane, pool, requiredVersion, priority, displayName } = of
  const { retry, deadlines } = of
  return {
    ...{ key, onKeyConflict, lane, pool, requiredVersion, priority, displayName },
    ...{ retry, deadlines },
  }
}

export const NEW_RULES: Rules<NewSchedule<unknown, unknown, unknown>> = {
  ...COMMON,
  id: someText,
  runAs: textUpTo(LIMITS.ownerCharactersMax),
  requestId: textUpTo(LIMITS.requestIdCharactersMax),
}
export const CHANGE_RULES: Rules<ScheduleChange<unknown, unknown, unknown>> = {
  ...COMMON,
  etag: text,
}
