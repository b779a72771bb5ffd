import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { isReason, REASONS } from './reasons.ts'

test.each(Object.entries(REASONS))('%s names a gRPC code and explains itself', (reason, spec) => {
  expect(reason).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
  expect(status).toHaveProperty(spec.code)
  expect(spec.about).toMatch(/^[A-Z].*\.$/)
})

test('whatever is temporarily unavailable may be retried', () => {
  for (const spec of Object.values(REASONS)) {
    if (spec.code === 'UNAVAILABLE') expect(spec.retry).toBe(true)
  }
})

test('a text from the wire is a reason only when it is on the list', () => {
  expect(isReason('QUEUE_FULL')).toBe(true)
  expect(isReason('toString')).toBe(false)
})
