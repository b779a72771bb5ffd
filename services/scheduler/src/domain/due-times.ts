/**
 * When a schedule is due (rows K1, K2). Pure: the same terms give the same times on every replica, whatever its clock.
 *
 * Cron expressions are read in the time zone of the schedule. What happens where clocks are changed is told, with examples, in
 * docs/guides/schedules.md.
 */
import { Cron } from 'croner'
import type { Steps } from './steps.ts'

export interface Timing {
  /** Any of them makes it due; empty where there is an interval. */
  readonly crons: readonly string[]
  readonly intervalMs: number | undefined
  /** Due times are whole intervals away from it, before and after. */
  readonly anchorTime: Date | undefined
  /** A due time that one of them fits is left out. */
  readonly excludedCrons: readonly string[]
  /** Of all expressions; an IANA name. */
  readonly timeZone: string
  /** None before it. */
  readonly beginTime: Date | undefined
  /** None at or after it. */
  readonly endTime: Date | undefined
  readonly jitterMs: number
}

/** What comes next after a time. */
export interface NextTime {
  readonly time: Date
  /** False: nothing is due until then, and what comes after it was not looked at. */
  readonly isDue: boolean
}

/** The first due time after another time; undefined where there is none any more. */
export type DueTimes = (after: Date) => Steps<NextTime | undefined>

/** Looks at expressions before somebody has to go on from where they led: each takes time, and exclusions that leave nothing have no end. */
const LOOKS_MAX = 4_000
const YEAR_9999 = Date.parse('9999-12-31T23:59:59Z')

export function dueTimesOf(timing: Timing): DueTimes {
  const { beginTime, endTime, timeZone } = timing
  const sources = [
    ...timing.crons.map((cron) => kept(cronTimes(cron, timeZone))),
    ...(timing.intervalMs === undefined ? [] : [intervalTimes(timing.intervalMs, timing)]),
  ]
  const exclusions = timing.excludedCrons.map((cron) => exclusionOf(cron, timeZone))
  const earliest = beginTime === undefined ? Number.NEGATIVE_INFINITY : beginTime.getTime() - 1
  const end = endTime?.getTime() ?? YEAR_9999
  return function* nextTime(after) {
    let from = Math.max(after.getTime(), earliest)
    for (let looks = 0; looks < LOOKS_MAX; looks += 1 + exclusions.length) {
      yield
      const before = from
      const next = soonest(sources, from)
      if (next === undefined || next >= end) return undefined
      from = endOfExclusion(exclusions, next) - 1
      if (from < next) return { time: new Date(next), isDue: true }
      // Expressions that fire each second are looked at anew for each of them, those that fire once a day are not.
      looks += sources.filter((source) => source(before) === next).length
    }
    return from < end ? { time: new Date(from), isDue: false } : undefined
  }
}

/** The time itself where none of them leaves it out. */
function endOfExclusion(exclusions: readonly Exclusion[], time: number): number {
  for (const until of exclusions) {
    const end = until(time)
    if (end > time) return end
  }
  return time
}

/** Due times in milliseconds of the epoch, as the next one after another. */
type Source = (after: number) => number | undefined

/** What comes next after a time comes next after all times until then. */
function kept(source: Source): Source {
  let from = Number.POSITIVE_INFINITY
  let next: number | undefined
  return (after) => {
    if (after >= from && (next === undefined || after < next)) return next
    next = source(after)
    from = after
    return next
  }
}

function soonest(sources: readonly Source[], after: number): number | undefined {
  let first: number | undefined
  for (const source of sources) {
    const next = source(after)
    if (next !== undefined && (first === undefined || next < first)) first = next
  }
  return first
}

/**
 * A time of day that is written out happens once on each day, also where it occurs twice or not at all; what says `*` or a step
 * goes on with the clock.
 */
const CRON = { mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard', paused: true } as const

/** Throws where it is none. */
export function parseCron(cron: string, timezone: string): Cron {
  return new Cron(cron, { ...CRON, timezone })
}

/** Schedules that are due together mostly have their expressions in common: what was worked out for one is there for the others. */
const crons = remembering<Cron>(1_000)
const runs = remembering<number | null>(10_000)

function cronTimes(cron: string, timeZone: string): Source {
  const name = `${timeZone} ${cron}`
  const next = (after: number) =>
    crons(name, () => parseCron(cron, timeZone))
      .nextRun(new Date(after))
      ?.getTime() ?? null
  return (after) => runs(`${name} ${after}`, () => next(after)) ?? undefined
}

/** Forgets all when there are too many. */
function remembering<T>(entriesMax: number): (key: string, make: () => T) => T {
  const known = new Map<string, T>()
  return (key, make) => {
    const found = known.get(key)
    if (found !== undefined) return found
    const made = make()
    if (known.size >= entriesMax) known.clear()
    known.set(key, made)
    return made
  }
}

function intervalTimes(everyMs: number, { anchorTime, beginTime }: Timing): Source {
  const anchor = (anchorTime ?? beginTime)?.getTime() ?? 0
  return (after) => {
    const next = anchor + (Math.floor((after - anchor) / everyMs) + 1) * everyMs
    return next <= YEAR_9999 ? next : undefined
  }
}

/** Until when a time is excluded; the time itself, or before, where it is not. */
type Exclusion = (time: number) => number

/** What an exclusion leaves out as a whole is passed in one step. */
const YEAR = '0 0 0 1 1 *'
const MONTH = '0 0 0 1 * *'
const DAY = '0 0 0 * * *'
const HOUR = '0 0 * * * *'
const MINUTE = '0 * * * * *'

function exclusionOf(cron: string, timeZone: string): Exclusion {
  const parsed = parseExclusion(cron, timeZone)
  const whole = wholeOf(exclusionFields(cron).map((field) => field === '*'))
  const steps = whole === undefined ? undefined : parseCron(whole, timeZone)
  return (time) => {
    const date = new Date(time)
    if (!parsed.match(date)) return time
    return (steps?.nextRun(date)?.getTime() ?? time) + (steps === undefined ? 1 : 0)
  }
}

function wholeOf(any: readonly boolean[]): string | undefined {
  const [second, minute, hour, day, month, weekday] = any
  if (!second) return undefined
  if (!minute) return MINUTE
  if (!hour) return HOUR
  if (!day || !weekday) return DAY
  return month ? YEAR : MONTH
}

/** Without seconds it leaves out whole minutes. A seventh field is the year. Throws where it is none. */
export function parseExclusion(cron: string, timezone: string): Cron {
  return new Cron(exclusionFields(cron).join(' '), { paused: true, timezone })
}

function exclusionFields(cron: string): string[] {
  const fields = cron.trim().split(/\s+/)
  return fields.length === 5 ? ['*', ...fields] : fields
}

/**
 * How long after its due time a job is created: the same on every replica and at every attempt, and spread evenly over the
 * schedules that are due together.
 */
export function jitterOf(scheduleId: string, due: Date, jitterMs: number): number {
  if (jitterMs === 0) return 0
  return Math.floor(fractionOf(`${scheduleId} ${due.getTime()}`) * jitterMs)
}

/** FNV-1a with the last steps of MurmurHash3, without which similar texts would be near each other. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}
