/** What is told of when a job begins holds for so many as is said. */
import { expect, test } from 'vitest'
import { estimateStart, type PaceSample } from './pace.ts'

const sample = (starts: number, periodMs = 1_000, scheduler = 'one'): PaceSample => ({
  scheduler,
  starts,
  periodMs,
})

test('where too few began, nothing is told', () => {
  expect(estimateStart([], 0)).toBeUndefined()
  expect(estimateStart([sample(1), sample(1)], 0)).toBeUndefined()
  expect(estimateStart([sample(0, 600_000)], 5)).toBeUndefined()
})

test('what replicas let begin side by side adds up, and what one does in turn does not', () => {
  const middle = (samples: readonly PaceSample[]) => {
    const { earliestMs = 0, latestMs = 0 } = estimateStart(samples, 99) ?? {}
    return Math.sqrt(earliestMs * latestMs)
  }
  expect(middle([sample(10), sample(10)])).toBeCloseTo(10_000)
  expect(middle([sample(10), sample(10, 1_000, 'other')])).toBeCloseTo(5_000)
})

test('the more is known and the steadier it goes, the narrower is the span', () => {
  const width = (samples: readonly PaceSample[], ahead = 40) => {
    const { earliestMs = 1, latestMs = 0 } = estimateStart(samples, ahead) ?? {}
    return latestMs / earliestMs
  }
  const steady = Array.from({ length: 10 }, () => sample(20))
  const jumpy = Array.from({ length: 10 }, (_, n) => sample(n % 2 === 0 ? 0 : 40))
  expect(width([sample(200, 10_000)])).toBeLessThan(width([sample(5)]))
  expect(width(steady)).toBeLessThan(width([sample(200, 10_000)]))
  expect(width(steady)).toBeLessThan(width(jumpy))
})

/** Known numbers, so that the test is the same each time. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

test.each([
  ['that know nothing of each other', (random: () => number) => -Math.log(random()) * 100],
  ['that take the same time each', (random: () => number) => 95 + random() * 10],
  [
    'of which some take ten times as long',
    (random: () => number) => (random() < 0.1 ? 600 : 45) * -Math.log(random()),
  ],
] as const)('of a thousand estimates for starts %s, most are right', (_, pauseOf) => {
  const random = numbers(7)
  let right = 0
  for (let round = 0; round < 1_000; round += 1) {
    const times = [0]
    while (times.length < 150) times.push((times.at(-1) ?? 0) + pauseOf(random))
    // Looked at ten times in what came before.
    const now = times[100] ?? 0
    const every = now / 10
    const samples = Array.from({ length: 10 }, (_, n) =>
      sample(times.filter((time) => time > n * every && time <= (n + 1) * every).length, every),
    )
    const { earliestMs = 0, latestMs = 0 } = estimateStart(samples, 19) ?? {}
    const took = (times[120] ?? 0) - now
    if (took >= earliestMs && took <= latestMs) right += 1
  }
  expect(right).toBeGreaterThan(700)
  expect(right).toBeLessThan(990 + 11)
})
