/** What a schedule does when it is due. Pure: times and the states of its jobs are given. */
import { type DueTimes, dueTimesOf, jitterOf, type NextTime } from './due-times.ts'
import type { OverlapPolicy, Schedule } from './schedule.ts'
import type { Steps } from './steps.ts'

/** Jobs of one schedule that wait for one another. */
export const WAITING_JOBS_MAX = 1_000
/** Of due times that have waited for their jitter; the others come in the next transaction. */
const JOBS_AT_ONCE_MAX = 1_000
/** Nothing that is this late has been missed: a sweep, or a busy database. */
const LATE_MS = 10_000

/** What jobs are told that give way to the next one. */
export const NEXT_IS_DUE = { reason: 'the next job of its schedule is due', graceMs: 10_000 }

export interface DueNow {
  /** Those that jobs are created for, oldest first, before the overlap is looked at. */
  readonly due: readonly Date[]
  /** Undefined where there is none any more. */
  readonly next: NextDue | undefined
}

export interface NextDue {
  /** Or, where exclusions leave none for very long, a time until which there is none: it is looked on from there. */
  readonly due: Date
  /** The due time and its jitter. */
  readonly wake: Date
}

export function* nextDueOf(
  { id, terms }: Pick<Schedule, 'id' | 'terms'>,
  after: Date,
): Steps<NextDue | undefined> {
  return withJitter(id, terms.timing.jitterMs, yield* dueTimesOf(terms.timing)(after))
}

/** What is next by other terms: one that has come, and was not carried out yet, is not passed over where they have it, too. */
export function nextDueByOther(
  { id, dueTime }: Pick<Schedule, 'id' | 'dueTime'>,
  terms: Schedule['terms'],
  now: Date,
): Steps<NextDue | undefined> {
  const hasCome = dueTime !== undefined && dueTime <= now
  return nextDueOf({ id, terms }, hasCome ? new Date(dueTime.getTime() - 1) : now)
}

/** @param from the due time that has come */
export function* dueNowOf(
  { id, terms }: Pick<Schedule, 'id' | 'terms'>,
  from: Date,
  now: Date,
): Steps<DueNow> {
  const { timing, catchUpMs, catchUpMax } = terms
  const { jitterMs } = timing
  const next = dueTimesOf(timing)
  const latenessMax = Math.max(catchUpMs, LATE_MS)
  const earliest = Math.max(from.getTime(), now.getTime() - latenessMax - jitterMs)
  // These have waited for their jitter, or for that of one before them: however many they are, none has been missed.
  const waiting = jitterMs === 0 ? now.getTime() + 1 : now.getTime() - jitterMs - LATE_MS
  const missed = yield* newest(next, earliest, waiting, catchUpMax)
  const due = missed.filter(
    (time) => time.getTime() + jitterOf(id, time, jitterMs) >= now.getTime() - latenessMax,
  )
  if (jitterMs === 0) return { due, next: withJitter(id, jitterMs, yield* next(now)) }
  const begin = Math.max(from.getTime(), waiting)
  const { times } = yield* timesWithin(next, begin, now.getTime() + 1, { max: JOBS_AT_ONCE_MAX })
  for (const time of times) {
    const wake = time.getTime() + jitterOf(id, time, jitterMs)
    // Due times keep their order: what comes after one whose jitter has not passed waits, too.
    if (wake > now.getTime()) {
      return { due, next: withJitter(id, jitterMs, { time, isDue: true }) }
    }
    due.push(time)
  }
  return { due, next: withJitter(id, jitterMs, yield* next(due.at(-1) ?? now)) }
}

function withJitter(id: string, jitterMs: number, next: NextTime | undefined): NextDue | undefined {
  if (next === undefined) return undefined
  const { time, isDue } = next
  const waitMs = isDue ? jitterOf(id, time, jitterMs) : 0
  return { due: time, wake: new Date(time.getTime() + waitMs) }
}

/** The newest due times before `end`, by ever longer spans before it, so that an outage of weeks takes no longer than one of minutes. */
function* newest(next: DueTimes, earliest: number, end: number, max: number): Steps<Date[]> {
  let found: Date[] = []
  for (let [from, spanMs] = [end, 1_000]; ; spanMs *= 4) {
    const begin = Math.max(earliest, end - spanMs)
    found = [...(yield* newestWithin(next, begin, from, max - found.length)), ...found]
    if (begin === earliest || found.length >= max) return found
    from = begin
  }
}

/** Halves a span that has very many, so that the oldest of them are not looked at. */
function* newestWithin(next: DueTimes, begin: number, end: number, max: number): Steps<Date[]> {
  const { times, isAll } = yield* timesWithin(next, begin, end, { max: 2 * max })
  if (isAll) return times.slice(-max)
  const middle = Math.floor((begin + end) / 2)
  const newer = yield* newestWithin(next, middle, end, max)
  if (newer.length === max) return newer
  return [...(yield* newestWithin(next, begin, middle, max - newer.length)), ...newer]
}

export interface TimesWithin {
  readonly times: Date[]
  /** False: there may be more, of which nothing is known. */
  readonly isAll: boolean
}

interface WithinLimits {
  /** Default: any number. */
  readonly max?: number
  /** How often it is looked on where exclusions leave nothing for very long. Default: to the end. */
  readonly goOnMax?: number
}

/** Due times from `begin` on and before `end`. */
export function* timesWithin(
  next: DueTimes,
  begin: number,
  end: number,
  { max = Infinity, goOnMax = Infinity }: WithinLimits = {},
): Steps<TimesWithin> {
  const times: Date[] = []
  let wentOn = 0
  for (let after = new Date(begin - 1); ; ) {
    const found = yield* next(after)
    if (found === undefined || found.time.getTime() >= end) return { times, isAll: true }
    if (found.isDue ? times.length >= max : ++wentOn > goOnMax) return { times, isAll: false }
    if (found.isDue) times.push(found.time)
    after = found.time
  }
}

export interface Overlap {
  /** Those that get a job. */
  readonly due: readonly Date[]
  /** The first of them waits for jobs that are unfinished, and each for the one before. */
  readonly waits: boolean
  readonly cancelsOpen: boolean
}

/** @param open how many jobs of the schedule are unfinished */
export function overlapOf(policy: OverlapPolicy, open: number, due: readonly Date[]): Overlap {
  switch (policy) {
    case 'allow':
      return { due, waits: false, cancelsOpen: false }
    case 'skip':
      return { due: open === 0 ? due.slice(0, 1) : [], waits: false, cancelsOpen: false }
    case 'queue-one':
      return { due: due.slice(0, Math.max(0, 2 - open)), waits: true, cancelsOpen: false }
    case 'queue-all': {
      const room = Math.max(0, WAITING_JOBS_MAX - open)
      return { due: due.slice(0, room), waits: true, cancelsOpen: false }
    }
    case 'cancel-running':
      return { due: due.slice(-1), waits: true, cancelsOpen: open > 0 && due.length > 0 }
  }
}
