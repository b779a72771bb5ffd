import { Lane } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { deadlinesFrom, laneFrom, retryPolicyFrom } from './policies.ts'

test('a retry policy given in part is filled with the documented defaults', () => {
  expect(retryPolicyFrom({ maxAttempts: 5 })).toEqual({
    maxAttempts: 5,
    initialBackoff: { seconds: 1n, nanos: 0 },
    backoffMultiplier: 2,
    maxBackoff: { seconds: 300n, nanos: 0 },
    jitter: 0.2,
  })
})

test('what is not set stays unset, so that the method decides', () => {
  expect(retryPolicyFrom(undefined)).toBeUndefined()
  expect(deadlinesFrom(undefined)).toBeUndefined()
  expect(laneFrom(undefined)).toBe(Lane.LANE_UNSPECIFIED)
  expect(deadlinesFrom({ attemptMs: 1500 })).toEqual({
    queue: undefined,
    attempt: { seconds: 1n, nanos: 500_000_000 },
    total: undefined,
    heartbeat: undefined,
  })
})

test('a first pause longer than the default of the longest is that, and no policy the scheduler refuses', () => {
  expect(retryPolicyFrom({ initialBackoffMs: 600_000 })).toMatchObject({
    initialBackoff: { seconds: 600n, nanos: 0 },
    maxBackoff: { seconds: 600n, nanos: 0 },
  })
})
