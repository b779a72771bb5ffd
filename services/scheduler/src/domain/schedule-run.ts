/** What a schedule does when it is due. Pure: times and the states of its jobs are given. */
import { type DueTimes, dueTimesOf, jitterOf } from './due-times.ts'
import type { OverlapPolicy, Schedule } from './schedule.ts'

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
  readonly due: Date
  /** The due time and its jitter. */
  readonly wake: Date
}

export function nextDueOf({ id, terms }: Pick<Schedule, 'id' | 'terms'>, after: Date) {
  return withJitter(id, terms.timing.jitterMs, dueTimesOf(terms.timing)(after))
}

/** @param from the due time that has come */
export function dueNowOf(
  { id, terms }: Pick<Schedule, 'id' | 'terms'>,
  from: Date,
  now: Date,
): DueNow {
  const { timing, catchUpMs, catchUpMax } = terms
  const { jitterMs } = timing
  const next = dueTimesOf(timing)
  const latenessMax = Math.max(catchUpMs, LATE_MS)
  const earliest = Math.max(from.getTime(), now.getTime() - latenessMax - jitterMs)
  // These have waited for their jitter, or for that of one before them: however many they are, none has been missed.
  const waiting = jitterMs === 0 ? now.getTime() + 1 : now.getTime() - jitterMs - LATE_MS
  const due = newest(next, earliest, waiting - 1, catchUpMax).filter(
    (time) => time.getTime() + jitterOf(id, time, jitterMs) >= now.getTime() - latenessMax,
  )
  if (jitterMs === 0) return { due, next: withJitter(id, jitterMs, next(now)) }
  const begin = Math.max(from.getTime(), waiting)
  for (const time of timesWithin(next, begin, now.getTime() + 1, JOBS_AT_ONCE_MAX)) {
    const wake = time.getTime() + jitterOf(id, time, jitterMs)
    // Due times keep their order: what comes after one whose jitter has not passed waits, too.
    if (wake > now.getTime()) return { due, next: withJitter(id, jitterMs, time) }
    due.push(time)
  }
  return { due, next: withJitter(id, jitterMs, next(due.at(-1) ?? now)) }
}

function withJitter(id: string, jitterMs: number, due: Date | undefined): NextDue | undefined {
  return due && { due, wake: new Date(due.getTime() + jitterOf(id, due, jitterMs)) }
}

/** Looks at ever longer spans before `now`, so that an outage of weeks takes no longer than one of minutes. */
function newest(next: DueTimes, earliest: number, now: number, max: number): Date[] {
  for (let span = 1_000; ; span *= 4) {
    const begin = Math.max(earliest, now - span)
    const times = timesWithin(next, begin, now + 1)
    if (begin === earliest || times.length >= max) return times.slice(-max)
  }
}

/** Due times from `begin` on and before `end`, at most `max`. */
export function timesWithin(next: DueTimes, begin: number, end: number, max = Infinity): Date[] {
  const times: Date[] = []
  for (let time = next(new Date(begin - 1)); time && time.getTime() < end; time = next(time)) {
    if (times.length >= max) break
    times.push(time)
  }
  return times
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
