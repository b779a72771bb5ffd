import { expect, test } from 'vitest'
import type { CodecOptions } from './codec.ts'
import { defineMethod } from './define-method.ts'
import {
  unwrapCause,
  unwrapTold,
  WRAPPED_TEXT,
  wrapCause,
  wrapReport,
  wrapTold,
} from './wrapped-report.ts'
import type { Wrapper } from './wrapper.ts'

const flip: Wrapper = {
  name: 'flip',
  wrap: (bytes) => ({ bytes: bytes.map((byte) => byte ^ 0xff) }),
  unwrap: (bytes) => bytes.map((byte) => byte ^ 0xff),
}
const codec: CodecOptions = { wrappers: [flip], wrapReports: true }

test('a message comes back as it was told to who knows its wrapper, to others it is a sentence', () => {
  const told = { text: 'row 7 of Ada', extra: { row: 7 } }
  const wrapped = { ...wrapTold(codec, told), sequence: 3 }
  expect(JSON.stringify(wrapped)).not.toContain('Ada')
  expect(wrapped.text).toBe(WRAPPED_TEXT)
  expect(unwrapTold([undefined, codec], wrapped)).toEqual({ ...told, sequence: 3 })
  expect(unwrapTold(['cbor'], wrapped)).toBe(wrapped)
  expect(unwrapTold([codec], told)).toBe(told)
  expect(unwrapTold([codec], wrapTold(codec, { text: '' }))).toEqual({ text: '' })
})

test('so does an error', () => {
  const cause = { brief: 'Ada is not there', detail: 'Error: Ada\n    at x.ts:1', reason: 'Error' }
  const wrapped = { ...cause, ...wrapCause(codec, cause) }
  expect(JSON.stringify(wrapped)).not.toContain('Ada')
  expect(unwrapCause([codec], wrapped)).toEqual(cause)
  expect(unwrapCause([], wrapped)).toBe(wrapped)
  expect(unwrapCause([codec], cause)).toBe(cause)
})

test.each([
  ['nothing', undefined],
  ['something else', { contentType: 5, base64: 'x' }],
  ['what is no CBOR', { contentType: 'application/cbor', base64: '//8=' }],
  ['another value', { contentType: 'application/cbor', base64: 'AQ==' }],
])('the sentence with %s beside it stays what it is', (_, extra) => {
  const told = { text: WRAPPED_TEXT, extra }
  expect(unwrapTold([codec], told)).toBe(told)
})

test('wrappers that answer with a promise are refused at once', () => {
  const slow = { ...flip, wrap: () => Promise.reject(new Error('later')) }
  expect(() => wrapReport({ ...codec, wrappers: [slow] }, 1)).toThrow('not a promise')
})

test.each([
  [{ wrapReports: true }, 'codec.wrapReports needs wrappers'],
  [{ wrapReports: 'yes', wrappers: [flip] }, 'codec.wrapReports must be true or false'],
])('a definition with the codec %j is refused', (wrong, problem) => {
  expect(() => defineMethod({ method: 'a.b', codec: wrong as never })).toThrow(problem)
})
