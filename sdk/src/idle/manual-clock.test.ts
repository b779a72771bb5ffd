import { afterEach, expect, test, vi } from 'vitest'
import { createManualClock } from './manual-clock.ts'

afterEach(() => {
  vi.useRealTimers()
})

test("a manual clock advances under faked timers, which stand for the machine's", async () => {
  vi.useFakeTimers()
  const clock = createManualClock()
  let woken = 0
  clock.delay(50).then(() => {
    woken = clock.now()
  })
  await clock.advance(100)
  expect([woken, clock.now()]).toEqual([50, 100])
})

test('it refuses timers that real ones could not keep; delay() can be any length', async () => {
  const clock = createManualClock()
  const longest = clock.startTimer(() => undefined, 2 ** 31 - 1, false)
  expect(() => clock.startTimer(() => undefined, 2 ** 31, false)).toThrow(RangeError)
  expect(clock.pendingTimers).toBe(1)
  longest.cancel()
  const later = clock.delay(2 ** 32)
  await clock.advance(2 ** 32)
  await later
})

test('where there is no setImmediate, as in browsers, it goes by setTimeout', async () => {
  vi.stubGlobal('setImmediate', undefined)
  vi.resetModules()
  const browser = await import('./manual-clock.ts')
  vi.unstubAllGlobals()
  const clock = browser.createManualClock()
  let woken = false
  clock.delay(50).then(() => {
    woken = true
  })
  await clock.advance(50)
  expect(woken).toBe(true)
})
