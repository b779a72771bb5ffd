/** What the times of a schedule must be, told field by field. */
import {
  collectViolations,
  durationFault,
  type Fault,
  isLonger,
  type Note,
  timeFault,
  type Violation,
} from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import { dueTimesOf, parseCron, parseExclusion, type Timing } from './due-times.ts'
import type { Steps } from './steps.ts'

/** Where in the request an expression stands. */
const cronField = (place: number) =>
  place === 0 ? 'schedule.cron' : `schedule.crons[${place - 1}]`

/** Everything wrong with it, and at last whether it is ever due after `now`. */
export function* violationsOfTiming(timing: Timing, now: Date): Steps<Violation[]> {
  const found = collectViolations((note) => noteForms(timing, note))
  if (found.length > 0) return found
  const never = yield* neverDue(timing, now)
  return never === undefined ? [] : [never]
}

function noteForms(timing: Timing, note: Note): void {
  const { crons, intervalMs, anchorTime, excludedCrons, timeZone, jitterMs } = timing
  if (crons.length === 0 && intervalMs === undefined) {
    note('schedule.cron', 'or interval is required: say when it is due')
  }
  if (intervalMs !== undefined) note('schedule.interval', intervalFault(intervalMs))
  if (crons.length > 0 && intervalMs !== undefined) {
    note('schedule.crons', 'exclude interval: give either')
  }
  if (anchorTime !== undefined && intervalMs === undefined) {
    note('schedule.anchor_time', 'is of an interval, and there is none')
  }
  const zoneFault = timeZoneFault(timeZone)
  note('schedule.time_zone', zoneFault)
  const zone = zoneFault === undefined ? timeZone : 'UTC'
  for (const [place, cron] of fewOf('schedule.crons', crons, note)) {
    note(cronField(place), cronFault(cron, zone))
  }
  for (const [place, cron] of fewOf('schedule.excluded_crons', excludedCrons, note)) {
    note(`schedule.excluded_crons[${place}]`, exclusionFault(cron, zone))
  }
  note('schedule.anchor_time', timeFault(anchorTime))
  note('schedule.begin_time', timeFault(timing.beginTime))
  note('schedule.end_time', timeFault(timing.endTime))
  note('schedule.jitter', jitterFault(jitterMs))
  if (timing.beginTime && timing.endTime && timing.endTime <= timing.beginTime) {
    note('schedule.end_time', 'must be after begin_time')
  }
}

/** With their places; of too many none, for reading each takes time. */
function fewOf(field: string, expressions: readonly string[], note: Note) {
  const { cronsMax } = LIMITS
  if (expressions.length <= cronsMax) return expressions.entries()
  note(field, `must be at most ${cronsMax}`)
  return []
}

function intervalFault(ms: number): Fault {
  if (!(ms >= LIMITS.scheduleIntervalMsMin)) return 'must be at least 1 s'
  return Number.isInteger(ms) ? durationFault(ms) : 'must be a whole number of milliseconds'
}

function jitterFault(ms: number): Fault {
  return ms >= 0 && ms <= LIMITS.jitterMsMax ? undefined : 'must be within 0 and 1 day'
}

/** By the time zones of this replica, as names alone: an offset knows nothing of summer. */
function timeZoneFault(timeZone: string): Fault {
  const fault = 'must be a time zone of the IANA database, such as "Europe/Berlin"'
  if (!/^[A-Za-z][\w+/-]{0,63}$/.test(timeZone)) return fault
  try {
    new Intl.DateTimeFormat('en', { timeZone })
    return undefined
  } catch {
    return fault
  }
}

const NICKNAME = /^@[a-z]+$/i

function cronFault(cron: string, zone: string): Fault {
  const fields = cron.trim().split(/\s+/).length
  // A date would be one that is due once, and no expression.
  if (fields !== 5 && fields !== 6 && !NICKNAME.test(cron)) {
    return 'must have five fields (minute, hour, day, month, weekday), or six with the second before them'
  }
  return expressionFault(cron, () => parseCron(cron, zone))
}

function exclusionFault(cron: string, zone: string): Fault {
  const fields = cron.trim().split(/\s+/).length
  if (fields < 5 || fields > 7) {
    return 'must have five cron fields, six with the second before them, or seven with the year behind them'
  }
  return expressionFault(cron, () => parseExclusion(cron, zone))
}

function expressionFault(cron: string, parse: () => unknown): Fault {
  const { cronCharactersMax } = LIMITS
  if (isLonger(cron, cronCharactersMax)) return `must be at most ${cronCharactersMax} characters`
  try {
    parse()
    return undefined
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error)
    return `is no cron expression: ${why}`
  }
}

/** Which of the terms leaves nothing; also of several expressions each has to fire. */
function* neverDue(timing: Timing, now: Date): Steps<Violation | undefined> {
  const nextOf = (changed: Partial<Timing>) => dueTimesOf({ ...timing, ...changed })(now)
  const open = { beginTime: undefined, endTime: undefined, excludedCrons: [] }
  for (const [place, cron] of timing.crons.entries()) {
    if ((yield* nextOf({ ...open, crons: [cron] })) !== undefined) continue
    return { field: cronField(place), description: 'never fires: there is no such date' }
  }
  const next = yield* nextOf({})
  if (next?.isDue) return undefined
  if ((yield* nextOf({ ...open, beginTime: timing.beginTime })) === undefined) {
    return { field: 'schedule.begin_time', description: 'leaves no due time after it' }
  }
  if ((yield* nextOf({ excludedCrons: [] })) === undefined) {
    return { field: 'schedule.end_time', description: 'leaves no due time before it' }
  }
  const asFar = next ? ` until ${next.time.toISOString()}, as far as was looked` : ''
  return { field: 'schedule.excluded_crons', description: `leave no due time${asFar}` }
}
