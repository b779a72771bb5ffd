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

test.each([
  ['a Map is {}: pass its entries, as in [...map]', new Map([[1, 2]])],
  ['a Set is {}', new Set([1])],
  ['a Blob is {}: pass its bytes, await blob.arrayBuffer()', new Blob(['a'])],
  ['a Promise is {}: await it', Promise.resolve(1)],
  ['a URLSearchParams is {}: pass what is in it', new URLSearchParams('a=1')],
])('an object that JSON would empty is refused: %s', (message, value) => {
  expect(() => encodeValue(value)).toThrow(message)
})

test('objects that are empty, or say what their JSON is, are values', () => {
  class Options {}
  const custom = Object.assign(new Map([[1, 2]]), { toJSON: () => ({}) })
  for (const value of [{}, new Options(), Object.create(null), custom]) {
    expect(encodeValue(value)?.bytes.toString()).toBe('{}')
  }
})

test('undefined, functions and empty JSON are no value', () => {
  expect(encodeValue(undefined)).toBeUndefined()
  expect(encodeValue(() => {})).toBeUndefined()
  expect(decodeValue(Buffer.alloc(0), 'application/json')).toBeUndefined()
})

test('text is read as text, JSON with a charset as JSON', () => {
  expect(decodeValue(Buffer.from('a,b'), 'text/csv')).toBe('a,b')
  expect(decodeValue(Buffer.from('[1]'), 'application/json; charset=utf-8')).toEqual([1])
})

test('what JSON cannot hold throws instead of losing data', () => {
  expect(() => encodeValue({ n: 1n })).toThrow(TypeError)
  expect(() => decodeValue(Buffer.from('{'), '')).toThrow(SyntaxError)
})
