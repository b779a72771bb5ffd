import { expect, test } from 'vitest'
import { decodeValue, encodeValue } from './payload.ts'

test.each([[{ a: [1, 'ä', null] }], ['text'], [0], [null], [false], [[]]])(
  'JSON value %j comes back as it went',
  (value) => {
    const encoded = encodeValue(value)
    expect(encoded?.contentType).toBe('')
    expect(decodeValue(encoded?.bytes ?? Buffer.alloc(0), '')).toEqual(value)
  },
)

test('bytes travel raw, also those of a view into a larger buffer', () => {
  const view = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4)
  const encoded = encodeValue(view)
  expect(encoded?.contentType).toBe('application/octet-stream')
  expect(encoded?.bytes).toEqual(Buffer.from([1, 2, 3]))
  expect(decodeValue(Buffer.from([1, 2, 3]), 'application/octet-stream')).toEqual(
    Buffer.from([1, 2, 3]),
  )
})

test.each([
  ['an ArrayBuffer', new Uint8Array([1, 2, 3]).buffer],
  ['a DataView', new DataView(new Uint8Array([9, 1, 2, 3]).buffer, 1)],
  ['a typed array', new Int8Array([1, 2, 3])],
])('%s travels as its bytes', (_, value) => {
  expect(encodeValue(value)).toEqual({
    bytes: Buffer.from([1, 2, 3]),
    contentType: 'application/octet-stream',
  })
})

test('undefined and empty JSON are no value', () => {
  expect(encodeValue(undefined)).toBeUndefined()
  expect(decodeValue(Buffer.alloc(0), 'application/json')).toBeUndefined()
})

test('text is read as text, JSON with a charset as JSON', () => {
  expect(decodeValue(Buffer.from('a,b'), 'text/csv')).toBe('a,b')
  expect(decodeValue(Buffer.from('[1]'), 'application/json; charset=utf-8')).toEqual([1])
})

test('what JSON cannot hold throws instead of losing data', () => {
  expect(() => encodeValue({ n: 1n })).toThrow(TypeError)
  expect(() => decodeValue(Buffer.from('{'), '')).toThrow(SyntaxError)
  expect(() => decodeValue(Buffer.from('"\xe9"', 'latin1'), '')).toThrow(/no UTF-8/)
})

test.each([
  'application/JSON',
  'application/json ',
  'Application/Json ; charset=utf-8',
  'application/json;charset=utf-8',
])('what is put as %j is JSON', (contentType) => {
  expect(decodeValue(Buffer.from('{"n":1}'), contentType)).toEqual({ n: 1 })
})

test.each(['application/jsonl', 'application/json-seq', 'text/application/json'])(
  'what is put as %j is none',
  (contentType) => {
    expect(decodeValue(Buffer.from('1'), contentType)).not.toBe(1)
  },
)
