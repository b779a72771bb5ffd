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

/** Where in the request an expression stands. */
const cronField = (place: number) =>
  place === 0 ? 'schedule.cron' : `schedule.crons[${place - 1}]`

/** Everything wrong with it, and at last whether it is ever due after `now`. */
export function violationsOfTiming(timing: Timing, now: Date): Violation[] {
  const found = collectViolations((note) => noteForms(timing, note))
  return found.length > 0 ? found : collectViolations((note) => noteNeverDue(timing, now, note))
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
  noteCount('schedule.crons', crons, note)
  for (const [place, cron] of crons.entries()) note(cronField(place), cronFault(cron, zone))
  noteCount('schedule.excluded_crons', excludedCrons, note)
  for (const [place, cron] of excludedCrons.entries()) {
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

function noteCount(field: string, expressions: readonly string[], note: Note): void {
  const { cronsMax } = LIMITS
  if (expressions.length > cronsMax) note(field, `must be at most ${cronsMax}`)
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

/** Says which of the terms leaves nothing; also of several expressions each has to fire. */
function noteNeverDue(timing: Timing, now: Date, note: Note): void {
  const isEverDue = (terms: Timing) => dueTimesOf(terms)(now) !== undefined
  const { crons, endTime } = timing
  const open = { ...timing, endTime: undefined, excludedCrons: [] }
  for (const [place, cron] of crons.entries()) {
    if (isEverDue({ ...open, crons: [cron] })) continue
    note(cronField(place), 'never fires: there is no such date')
    return
  }
  if (isEverDue(timing)) return
  if (endTime !== undefined && !isEverDue({ ...timing, excludedCrons: [] })) {
    note('schedule.end_time', 'leaves no due time before it')
  } else note('schedule.excluded_crons', 'leave no due time')
}
