import { DEADLINE_REASONS } from '@offstage/proto/reasons'
import { STOP_CODES, stopCodeOf } from '@offstage/sdk/jobs'
import { expect, test } from 'vitest'
import { stopReason } from './stop-reason.ts'
import type { StopCause } from './verdict.ts'

const CAUSES: readonly StopCause[] = [
  { kind: 'canceled', reason: '' },
  { kind: 'overdue', deadline: 'attempt', ms: 5 },
  { kind: 'overdue', deadline: 'total', ms: 5 },
  { kind: 'overdue', deadline: 'heartbeat', ms: 5 },
  { kind: 'draining' },
  { kind: 'fenced' },
]

test('each cause of a stop has a code of its own, which handlers can read from their signal', () => {
  const codes = CAUSES.map((cause) => {
    const abort = new AbortController()
    abort.abort(Object.assign(new Error(), stopReason(cause)))
    return stopCodeOf(abort.signal)
  })
  expect(codes.toSorted()).toEqual(Object.keys(STOP_CODES).toSorted())
})

test('a deadline that ends an attempt has the code that its job fails with', () => {
  const { queue: _, ...ofAttempts } = DEADLINE_REASONS
  expect(Object.keys(STOP_CODES)).toEqual(expect.arrayContaining(Object.values(ofAttempts)))
})

test('a signal that is not aborted, or was by somebody else, has no code', () => {
  expect(stopCodeOf(new AbortController().signal)).toBeUndefined()
  expect(stopCodeOf(AbortSignal.abort())).toBeUndefined()
  expect(stopCodeOf(AbortSignal.abort(Object.assign(new Error(), { code: 'E' })))).toBeUndefined()
})
