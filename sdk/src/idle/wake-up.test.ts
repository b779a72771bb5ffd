import { expect, test } from 'vitest'
import { createTestTable } from '../testing/test-table.ts'
import { createManualClock } from './manual-clock.ts'
import { WakeUp } from './wake-up.ts'

/** A wake-up under a clock moved by hand, with a record of the timers it starts and of when it wakes. */
function createWakeUp() {
  const clock = createManualClock()
  const delaysMs: number[] = []
  const startTimer = clock.startTimer.bind(clock)
  clock.startTimer = (wake, delayMs, keepAlive) => {
    delaysMs.push(delayMs)
    return startTimer(wake, delayMs, keepAlive)
  }
  const wokenAtMs: number[] = []
  const wakeUp = new WakeUp(clock, false, () => wokenAtMs.push(clock.now()))
  return { clock, delaysMs, wokenAtMs, wakeUp }
}

test('a wake-up asked for later leaves the timer alone; one asked for earlier replaces it', async () => {
  const it = createWakeUp()
  for (const atMs of [200, 300, 200, Number.POSITIVE_INFINITY, 100]) it.wakeUp.noLaterThan(atMs)
  expect(it.delaysMs).toEqual([200, 100])
  expect(it.clock.pendingTimers).toBe(1)
  await it.clock.advance(500)
  expect(it.wokenAtMs).toEqual([100])
})

test('one asked for in the past comes as soon as possible, but never inside the caller', async () => {
  const it = createWakeUp()
  it.clock.jump(100)
  it.wakeUp.noLaterThan(50)
  expect(it.wokenAtMs).toEqual([])
  await it.clock.advance()
  expect(it.wokenAtMs).toEqual([100])
})

test('blocking calls that begin and end start no timer', async () => {
  const it = createWakeUp()
  using table = createTestTable({ clock: it.clock })
  table.table.attach(table.table.owner('form'), () => undefined, { intervalMs: 100 })
  for (let n = 0; n < 10; n += 1) table.activity.begin().end()
  expect(it.delaysMs).toEqual([100])
})

test('what is attached while the table is held waits without a timer', async () => {
  using it = createTestTable()
  const form = it.table.owner('form')
  it.table.attach(form, it.handler('a'), { intervalMs: 200 })
  const block = it.table.blockAll()
  it.table.attach(form, it.handler('b'), { intervalMs: 100 })
  expect(it.clock.pendingTimers).toBe(0)
  block.unblock()
  await it.clock.advance(200)
  expect(it.runs).toEqual(['b@100', 'a@200', 'b@200'])
})
