import { expect, test } from 'vitest'
import { TokenBuckets } from './token-buckets.ts'

function clock() {
  let nowMs = 0
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { now: () => nowMs, pass }
}

test('a second’s worth may come at once, then as many as the rate allows', () => {
  const { now, pass } = clock()
  const buckets = new TokenBuckets(10, now)
  for (let i = 0; i < 10; i++) expect(buckets.take('ann', 1)).toBe(0)
  expect(buckets.take('ann', 1)).toBeCloseTo(100)
  pass(100)
  expect(buckets.take('ann', 1)).toBe(0)
  expect(buckets.take('ann', 1)).toBeCloseTo(100)
})

test('a batch larger than the bucket is let in, and its debt holds the next one up', () => {
  const { now, pass } = clock()
  const buckets = new TokenBuckets(10, now)
  expect(buckets.take('ann', 100)).toBe(0)
  expect(buckets.take('ann', 1)).toBeCloseTo(9_100)
  pass(9_100)
  expect(buckets.take('ann', 1)).toBe(0)
})

test('each caller has a bucket of their own', () => {
  const buckets = new TokenBuckets(1, clock().now)
  expect(buckets.take('ann', 1)).toBe(0)
  expect(buckets.take('bob', 1)).toBe(0)
  expect(buckets.take('ann', 1)).toBeGreaterThan(0)
})

test('waiting as long as was said is enough, over any run of takes', () => {
  const { now, pass } = clock()
  const buckets = new TokenBuckets(7, now)
  let taken = 0
  for (let i = 0; i < 1_000; i++) {
    const waitMs = buckets.take('ann', 3)
    if (waitMs === 0) taken += 3
    pass(waitMs)
  }
  expect(taken).toBeLessThanOrEqual(7 + 3 + (now() / 1_000) * 7)
  expect(taken).toBeGreaterThan((now() / 1_000) * 7 * 0.9)
})
