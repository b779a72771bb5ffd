import { readFile } from 'node:fs/promises'
import { Cron } from 'croner'
import { expect, test, vi } from 'vitest'
import { atOnce, nextDue, timing } from '../testing/timing.ts'
import { dueTimesOf, jitterOf, type Timing } from './due-times.ts'
import { violationsOfTiming } from './timing-rules.ts'

/** The first due times after a time. */
function first(given: Partial<Timing>, after: string, count: number): string[] {
  const next = nextDue(timing(given))
  const times: string[] = []
  for (let time = next(new Date(after)); time && times.length < count; time = next(time)) {
    times.push(time.toISOString().replace('.000Z', 'Z'))
  }
  return times
}

const faultsOf = (given: Partial<Timing>, now = '2026-06-01T00:00:00Z') =>
  Object.fromEntries(
    atOnce(violationsOfTiming(timing(given), new Date(now))).value.map(({ field, description }) => [
      field,
      description,
    ]),
  )

test('several expressions are due whenever one of them is, together once', () => {
  const crons = ['0 9 * * 1-5', '0 11 * * SAT', '0 0 9 * * FRI']
  expect(first({ crons }, '2026-06-05T00:00:00Z', 3)).toEqual([
    '2026-06-05T09:00:00Z',
    '2026-06-06T11:00:00Z',
    '2026-06-08T09:00:00Z',
  ])
})

test('with a sixth field an expression says seconds', () => {
  expect(first({ crons: ['*/20 * * * * *'] }, '2026-06-05T00:00:15Z', 3)).toEqual([
    '2026-06-05T00:00:20Z',
    '2026-06-05T00:00:40Z',
    '2026-06-05T00:01:00Z',
  ])
})

test('what is excluded is left out: days of each year, one date, a part of each day', () => {
  const crons = ['30 8 * * *']
  const days = { crons, excludedCrons: ['* * 25,26 12 *', '* * * 28 12 * 2026'] }
  expect(first(days, '2026-12-24T12:00:00Z', 2)).toEqual([
    '2026-12-27T08:30:00Z',
    '2026-12-29T08:30:00Z',
  ])
  expect(first(days, '2027-12-27T12:00:00Z', 1)).toEqual(['2027-12-28T08:30:00Z'])
  const nights = { crons: ['*/30 * * * * *'], excludedCrons: ['* 0-5,22-23 * * *'] }
  expect(first(nights, '2026-06-05T21:59:30Z', 2)).toEqual([
    '2026-06-06T06:00:00Z',
    '2026-06-06T06:00:30Z',
  ])
})

test('exclusions of whole days are passed in a step for each day, however often it is due', () => {
  const crons = ['* * * * * *']
  expect(first({ crons, excludedCrons: ['* * * 1-11 *'] }, '2026-01-01T00:00:00Z', 1)).toEqual([
    '2026-12-01T00:00:00Z',
  ])
})

test('whole months and years are passed in one step', () => {
  const crons = ['* * * * * *']
  const excludedCrons = ['* * * * * * 2027-2035', '* * * * 1-11 * 2036']
  using looks = vi.spyOn(Cron.prototype, 'match')
  expect(first({ crons, excludedCrons }, '2026-12-31T23:59:59Z', 1)).toEqual([
    '2036-12-01T00:00:00Z',
  ])
  expect(looks.mock.calls.length).toBeLessThan(60)
})

test('how much is looked at for one due time has a bound, whatever is excluded', () => {
  const crons = Array.from({ length: 20 }, (_, n) => `* */${n + 1} * * * *`)
  const seconds = Array.from({ length: 20 }, (_, n) => `${n * 3}-${n * 3 + 2} * * * * *`)
  using runs = vi.spyOn(Cron.prototype, 'nextRun')
  using looks = vi.spyOn(Cron.prototype, 'match')
  expect(first({ crons, excludedCrons: seconds }, '2028-06-01T00:00:00Z', 1)).toEqual([])
  expect(runs.mock.calls.length + looks.mock.calls.length).toBeLessThan(10_000)
})

test('what is behind very much that is excluded is found by looking on from where the look before ended', () => {
  const hours = {
    crons: ['* * * * * *'],
    excludedCrons: ['*/2 0-29 * * * *', '1-59/2 0-29 * * * *'],
  }
  const next = dueTimesOf(timing(hours))
  let after = new Date('2026-06-01T23:59:59Z')
  const looks: (readonly [isDue: boolean, parts: number])[] = []
  for (let isDue = false; !isDue; ) {
    const { value, parts } = atOnce(next(after))
    if (value === undefined) expect.unreachable()
    expect(value.time.getTime()).toBeGreaterThan(after.getTime())
    looks.push([value.isDue, parts])
    ;({ time: after, isDue } = value)
  }
  expect(after).toEqual(new Date('2026-06-02T00:30:00Z'))
  expect(looks.length).toBeGreaterThan(1)
  expect(Math.max(...looks.map(([, parts]) => parts))).toBeLessThan(4_000)
  expect(faultsOf(hours)).toEqual({
    'schedule.excluded_crons': expect.stringMatching(
      /^leave no due time until 2026-06-01T00:\d\d:\d\d.\d{3}Z, as far as was looked$/,
    ),
  })
})

test('expressions that are due once a day are not looked at for what is due each second', () => {
  const daily = Array.from({ length: 19 }, (_, n) => `0 ${n} * * *`)
  using runs = vi.spyOn(Cron.prototype, 'nextRun')
  first({ crons: ['* * * * * *', ...daily] }, '2028-06-02T00:10:00Z', 200)
  expect(runs.mock.calls.length).toBeLessThan(250)
})

test('an interval counts from its anchor, else from the begin, else from 1970', () => {
  const intervalMs = 7 * 3_600_000
  const anchorTime = new Date('2026-06-10T01:30:00Z')
  expect(first({ intervalMs, anchorTime }, '2026-06-09T12:00:00Z', 3)).toEqual([
    '2026-06-09T18:30:00Z',
    '2026-06-10T01:30:00Z',
    '2026-06-10T08:30:00Z',
  ])
  const beginTime = new Date('2026-06-10T00:00:05Z')
  expect(first({ intervalMs, beginTime }, '2026-01-01T00:00:00Z', 2)).toEqual([
    '2026-06-10T00:00:05Z',
    '2026-06-10T07:00:05Z',
  ])
  expect(first({ intervalMs: 900_000 }, '2026-06-09T12:01:00Z', 1)).toEqual([
    '2026-06-09T12:15:00Z',
  ])
})

test('nothing is due before the begin, nor at the end or after it', () => {
  const crons = ['0 * * * *']
  const beginTime = new Date('2026-06-10T03:00:00Z')
  const endTime = new Date('2026-06-10T05:00:00Z')
  expect(first({ crons, beginTime, endTime }, '2026-01-01T00:00:00Z', 9)).toEqual([
    '2026-06-10T03:00:00Z',
    '2026-06-10T04:00:00Z',
  ])
})

test('jitter is the same for a due time each time, and spread evenly over schedules', () => {
  const due = new Date('2026-06-10T03:00:00Z')
  const delays = Array.from({ length: 2_000 }, (_, n) => jitterOf(`report-${n}`, due, 60_000))
  expect(jitterOf('report-7', due, 60_000)).toBe(delays[7])
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...delays)).toBeLessThan(60_000)
  for (const from of [0, 15_000, 30_000, 45_000]) {
    const within = delays.filter((ms) => ms >= from && ms < from + 15_000).length
    expect(within).toBeGreaterThan(400)
    expect(within).toBeLessThan(600)
  }
})

test('what is wrong with the times is told field by field', () => {
  expect(faultsOf({})).toEqual({ 'schedule.cron': expect.stringContaining('is required') })
  const bad = {
    crons: ['* * * *', '61 * * * *', '2030-01-01T00:00:00'],
    excludedCrons: ['* *'],
    timeZone: 'Europe/Atlantis',
    jitterMs: -1,
    beginTime: new Date('2026-07-01T00:00:00Z'),
    endTime: new Date('2026-06-30T00:00:00Z'),
  }
  expect(faultsOf(bad)).toEqual({
    'schedule.cron': expect.stringContaining('must have five fields'),
    'schedule.crons[0]': 'is no cron expression: Invalid value for minute: 61',
    'schedule.crons[1]': expect.stringContaining('must have five fields'),
    'schedule.excluded_crons[0]': expect.stringContaining('must have five cron fields'),
    'schedule.time_zone': expect.stringContaining('IANA'),
    'schedule.jitter': 'must be within 0 and 1 day',
    'schedule.end_time': 'must be after begin_time',
  })
  expect(faultsOf({ intervalMs: 999 })).toEqual({ 'schedule.interval': 'must be at least 1 s' })
  expect(faultsOf({ crons: ['0 0 * * *'], intervalMs: 1_000 })).toEqual({
    'schedule.crons': 'exclude interval: give either',
  })
  const many = { crons: Array(10_000).fill('no'), excludedCrons: Array(10_000).fill('no') }
  expect(faultsOf(many)).toEqual({
    'schedule.crons': 'must be at most 20',
    'schedule.excluded_crons': 'must be at most 20',
  })
  expect(faultsOf({ crons: ['0 0 * * *'], timeZone: '+02:00' })).toHaveProperty([
    'schedule.time_zone',
  ])
})

test('times that leave nothing are refused, with the field that is to blame', () => {
  expect(faultsOf({ crons: ['0 0 * * *', '0 0 30 2 *'] })).toEqual({
    'schedule.crons[0]': 'never fires: there is no such date',
  })
  expect(faultsOf({ crons: ['0 0 * * *'], excludedCrons: ['0-5 0 * * *'] })).toEqual({
    'schedule.excluded_crons': expect.stringMatching(/^leave no due time until \d{4}-/),
  })
  const endTime = new Date('2026-05-31T00:00:00Z')
  expect(faultsOf({ intervalMs: 60_000, endTime })).toEqual({
    'schedule.end_time': 'leaves no due time before it',
  })
  const beginTime = new Date('9999-12-31T23:59:59Z')
  expect(faultsOf({ crons: ['0 0 * * *'], beginTime })).toEqual({
    'schedule.begin_time': 'leaves no due time after it',
  })
})

/** A row of the guide: what is written, the zone, the day, and the times of day with their offset. */
const ROW = /^\| `([^`]+)` \| ([A-Z]\w+\/\w+) \| (\d{4}-\d\d-\d\d) \| ([^|]+) \|/gm

test('on the days when clocks are changed schedules are due as the table of the guide tells', async () => {
  const guide = new URL('../../../../docs/guides/schedules.md', import.meta.url)
  const rows = [...(await readFile(guide, 'utf8')).matchAll(ROW)]
  expect(rows.length).toBeGreaterThan(10)
  for (const [, cron = '', timeZone = '', day = '', told = ''] of rows) {
    expect([cron, timeZone, dueOn(day, cron, timeZone)]).toEqual([cron, timeZone, told.trim()])
  }
})

function dueOn(day: string, cron: string, timeZone: string): string {
  const next = nextDue(timing({ crons: [cron], timeZone }))
  const shown: string[] = []
  const from = Date.parse(`${day}T00:00:00Z`) - 86_400_000
  for (let time = next(new Date(from)); time; time = next(time)) {
    const [date = '', clock = ''] = time.toLocaleString('sv', { timeZone }).split(' ')
    if (date > day) break
    const options = { timeZone, timeZoneName: 'longOffset' } as const
    const parts = new Intl.DateTimeFormat('en', options).formatToParts(time)
    const zone = parts.find(({ type }) => type === 'timeZoneName')?.value.slice(3) || '+00:00'
    if (date === day) shown.push(`${clock.slice(0, 5)}${zone}`)
  }
  return shown.length === 0 ? 'never' : shown.join(', ')
}
