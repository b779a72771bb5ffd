import { RETRY_DEFAULTS } from '@offstage/proto/retry-defaults'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs } from './retry-policy.ts'

test('a job without a policy of its own is not retried', () => {
  expect(backoffMs(RETRY_DEFAULTS, 1, 0)).toBeUndefined()
})

test('the pause grows by the multiplier up to its limit', () => {
  const policy = { ...RETRY_DEFAULTS, maxAttempts: 20 }
  expect([1, 2, 3, 4].map((failures) => backoffMs(policy, failures, 0))).toEqual([
    1_000, 2_000, 4_000, 8_000,
  ])
  expect(backoffMs(policy, 19, 0)).toBe(policy.backoffMsMax)
})

test('no pause stays none after any number of failures', () => {
  const policy = { ...RETRY_DEFAULTS, maxAttempts: 1_000, initialBackoffMs: 0 }
  expect(backoffMs({ ...policy, backoffMultiplier: 100 }, 999, 0)).toBe(0)
})

test('the pause stays within the jittered share, and ends with the attempts', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (maxAttempts, failures, jitter, random) => {
        const policy = { ...RETRY_DEFAULTS, maxAttempts, jitter }
        const pause = backoffMs(policy, failures, random)
        if (failures >= maxAttempts) return pause === undefined
        const full = backoffMs({ ...policy, jitter: 0 }, failures, 0) ?? Number.NaN
        return pause !== undefined && pause <= full && pause >= Math.floor(full * (1 - jitter))
      },
    ),
  )
})
