import { expect, test, vi } from 'vitest'
import { WakingClock } from './waking-clock.ts'

/** A clock that is looked at every 100 ms, after pauses of these lengths. */
function after(pauses: readonly (number | 'unheard')[]): number {
  let now = 5_000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  try {
    const clock = new WakingClock(100)
    let looked = 0
    for (const pause of pauses) {
      now += pause === 'unheard' ? 100 : pause
      looked = clock.look(pause !== 'unheard')
    }
    expect(clock.nextMs).toBe(looked + 100)
    return looked
  } finally {
    vi.restoreAllMocks()
  }
}

test('it goes by steady time while it is looked at', () => {
  expect(after([100, 110, 90])).toBe(300)
})

test('a pause of the process is one step at most, however long', () => {
  expect(after([100, 3_600_000, 100])).toBe(400)
})

test('while nobody can be heard no time passes', () => {
  expect(after([100, 'unheard', 'unheard', 100])).toBe(200)
})
