import { expect, test } from 'vitest'
import { atOnce, timing } from '../testing/timing.ts'
import type { NextTime } from './due-times.ts'
import type { ScheduleTerms } from './schedule.ts'
import * as run from './schedule-run.ts'
import { overlapOf } from './schedule-run.ts'
import type { Steps } from './steps.ts'

const dueNowOf = (...given: Parameters<typeof run.dueNowOf>) => atOnce(run.dueNowOf(...given)).value

/** Each so many milliseconds, and how often that was asked. */
function everyMs(ms: number) {
  const asked = { count: 0 }
  function* next(after: Date): Steps<NextTime> {
    asked.count += 1
    yield
    return { time: new Date((Math.floor(after.getTime() / ms) + 1) * ms), isDue: true }
  }
  const within = (begin: number, end: number) =>
    atOnce(run.timesWithin(next, begin, end)).value.times
  return { asked, within }
}

const at = (text: string) => new Date(`2026-06-10T${text}Z`)
const shown = (times: readonly Date[]) => times.map((time) => time.toISOString().slice(11, 19))

/** Every ten seconds. */
function terms(given: Partial<ScheduleTerms> & { jitterMs?: number } = {}) {
  const { jitterMs = 0, ...rest } = given
  const every = timing({ intervalMs: 10_000, jitterMs })
  const policies = { overlap: 'allow', catchUpMs: 60_000, catchUpMax: 100, pauseAfterFailures: 0 }
  return { id: 'report', terms: { timing: every, ...policies, ...rest } as ScheduleTerms }
}

test('a due time that has come gets a job, and the next one is waited for', () => {
  const { due, next } = dueNowOf(terms(), at('03:00:00'), at('03:00:00.020'))
  expect([shown(due), next?.due]).toEqual([['03:00:00'], at('03:00:10')])
})

test('what was missed is made up for within the window, the newest of it', () => {
  const due = (given: Partial<ScheduleTerms>) =>
    shown(dueNowOf(terms(given), at('01:00:00'), at('03:00:05')).due)
  expect(due({ catchUpMs: 30_000 })).toEqual(['02:59:40', '02:59:50', '03:00:00'])
  expect(due({ catchUpMs: 3_600_000, catchUpMax: 2 })).toEqual(['02:59:50', '03:00:00'])
  expect(due({ catchUpMs: 3_600_000, catchUpMax: 1_000 })).toHaveLength(360)
})

test('what is late by a moment has not been missed, though nothing is made up for', () => {
  const { due } = dueNowOf(terms({ catchUpMs: 0 }), at('03:00:00'), at('03:00:04'))
  expect(shown(due)).toEqual(['03:00:00'])
})

test('an outage of a year takes no longer to look at than one of a minute', () => {
  const { asked, within } = everyMs(1_000)
  within(0, 5_000)
  expect(asked.count).toBe(6)
  const yearly = terms({ catchUpMs: 366 * 86_400_000, catchUpMax: 5 })
  const { due } = dueNowOf(yearly, new Date('2025-06-10T00:00:00Z'), at('03:00:05'))
  expect(shown(due)).toEqual(['02:59:20', '02:59:30', '02:59:40', '02:59:50', '03:00:00'])
})

test('behind days that are excluded the newest due times before them are found, in few looks', () => {
  const busy = { crons: ['* * * * * *'], excludedCrons: ['* * * 1-10 6 *'] }
  const schedule = {
    id: 'report',
    terms: { ...terms().terms, timing: timing(busy), catchUpMs: 90 * 86_400_000 },
  }
  const { value, parts } = atOnce(
    run.dueNowOf(schedule, new Date('2026-04-01T00:00:00Z'), at('12:00:00')),
  )
  expect(value.due).toHaveLength(100)
  expect([value.due[0], value.due.at(-1)]).toEqual([
    new Date('2026-05-31T23:58:20Z'),
    new Date('2026-05-31T23:59:59Z'),
  ])
  expect(value.next?.due).toEqual(new Date('2026-06-11T00:00:00Z'))
  expect(parts).toBeLessThan(10_000)
})

test('where exclusions leave nothing for very long it is looked on later, and no due time is lost', () => {
  const busy = {
    crons: ['* * * * * *'],
    excludedCrons: ['*/2 0-29 * * * *', '1-59/2 0-29 * * * *'],
    jitterMs: 0,
  }
  const schedule = { id: 'report', terms: { ...terms().terms, timing: timing(busy) } }
  let { next } = dueNowOf(
    schedule,
    new Date('2026-06-09T23:59:58Z'),
    new Date('2026-06-09T23:59:59Z'),
  )
  const created: Date[] = []
  for (let runs = 0; created.length === 0; runs++) {
    if (next === undefined || runs > 20) expect.unreachable()
    expect(next.wake).toEqual(next.due)
    const outcome = dueNowOf(schedule, next.due, next.wake)
    created.push(...outcome.due)
    next = outcome.next
  }
  expect(created).toEqual([at('00:30:00')])
})

test('with a jitter each due time is put off, gets its job once, and none overtakes another', () => {
  const schedule = terms({ jitterMs: 25_000, catchUpMs: 600_000 })
  const created: string[] = []
  let from = at('03:00:00')
  for (let ms = 0; ms < 200_000; ms += 500) {
    const now = new Date(at('03:00:00').getTime() + ms)
    const { due, next } = dueNowOf(schedule, from, now)
    for (const time of due) expect(time.getTime()).toBeLessThanOrEqual(now.getTime())
    created.push(...shown(due))
    if (next !== undefined) from = next.due
  }
  const wanted = everyMs(10_000).within(at('03:00:00').getTime(), at('03:02:50').getTime())
  expect(created.slice(0, wanted.length)).toEqual(shown(wanted))
})

test('a jitter far longer than from due time to due time loses none of them', () => {
  const schedule = terms({ jitterMs: 3_600_000, catchUpMax: 1 })
  const created: Date[] = []
  let now = at('03:00:00')
  let from = now
  while (now < at('09:00:00')) {
    const { due, next } = dueNowOf(schedule, from, now)
    created.push(...due)
    if (next === undefined) expect.unreachable()
    from = next.due
    // Carried out when it is due, or at once where it was due before.
    now = new Date(Math.max(now.getTime() + 1, next.wake.getTime()))
  }
  const times = created.map((time) => time.getTime())
  const wanted = times.map((_, place) => at('03:00:00').getTime() + place * 10_000)
  expect(times).toEqual(wanted)
  expect(times.length).toBeGreaterThan(5 * 360)
})

test('the policy decides how many of several due times get a job', () => {
  const due = ['03:00:00', '03:00:10', '03:00:20'].map(at)
  const count = (policy: Parameters<typeof overlapOf>[0], open: number) =>
    overlapOf(policy, open, due).due.length
  expect([count('skip', 0), count('skip', 1)]).toEqual([1, 0])
  expect([count('queue-one', 0), count('queue-one', 1), count('queue-one', 2)]).toEqual([2, 1, 0])
  expect([count('queue-all', 5), count('queue-all', 999), count('queue-all', 1_000)]).toEqual([
    3, 1, 0,
  ])
  expect(count('allow', 9)).toBe(3)
  expect(overlapOf('cancel-running', 1, due)).toMatchObject({ due: [due[2]], cancelsOpen: true })
})
