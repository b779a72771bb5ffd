import { expect, test } from 'vitest'
import { clockSkewMs, createRequestId } from './request-id.ts'

test('a request id is a UUID of version 7 that tells its time', () => {
  const atMs = Date.parse('2030-01-01T00:00:00.123Z')
  const id = createRequestId(atMs)
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(atMs)
})

test('ids of one moment differ, and later ones sort after them', () => {
  const ids = Array.from({ length: 1_000 }, () => createRequestId(5))
  expect(new Set(ids).size).toBe(1_000)
  expect(ids.every((id) => id < createRequestId(6))).toBe(true)
})

test('a clock that is well off is told by the date of an answer, in either direction', () => {
  const nowMs = Date.parse('Fri, 20 Nov 2026 14:00:00 GMT')
  expect(clockSkewMs('Fri, 20 Nov 2026 14:04:50 GMT', nowMs)).toBe(290_000)
  expect(clockSkewMs('Fri, 20 Nov 2026 13:55:10 GMT', nowMs)).toBe(-290_000)
})

test.each([
  undefined,
  '',
  'soon',
  'Fri, 20 Nov 2026 14:00:29 GMT',
  'Fri, 20 Nov 2026 13:59:31 GMT',
])('the date %j counts as no difference', (date) => {
  expect(clockSkewMs(date, Date.parse('Fri, 20 Nov 2026 14:00:00 GMT'))).toBe(0)
})
