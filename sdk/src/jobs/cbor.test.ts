import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CBOR_TYPE, cborBytes, parseCbor } from './cbor.ts'
import { decodeValue } from './payload.ts'

const roundTrip = (value: unknown) => parseCbor(cborBytes(value))
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** Whatever CBOR is to bring back, nested in one another. */
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(null, undefined, true, false, Number.NaN, Number.POSITIVE_INFINITY),
      fc.integer(),
      fc.double().map((n) => (n === 0 ? 0 : n)),
      fc.bigInt(),
      fc.string({ unit: 'binary' }),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
      fc.float64Array(),
      fc.int16Array(),
    ),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((e) => new Map(e)),
    fc.array(tie('value'), { maxLength: 3 }).map((list) => new Set(list)),
  ),
})).value

test('every value of dates, bytes, big integers, maps, sets and undefined comes back as it went', () => {
  fc.assert(
    fc.property(values, (value) => {
      expect(roundTrip(value)).toStrictEqual(value)
    }),
    { numRuns: 1_000 },
  )
})

test('a date keeps its milliseconds, however far it is', () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (date) => {
      expect(roundTrip(date)).toStrictEqual(date)
    }),
    { numRuns: 5_000 },
  )
})

test('a Buffer within comes back as bytes of its own, and a part of a larger array as that part', () => {
  const part = new Float32Array([1, 2, 3, 4]).subarray(1, 3)
  const view = new DataView(new Uint8Array([7, 8]).buffer)
  const { bytes, ...rest } = roundTrip({ bytes: Buffer.from('abc'), part, view }) as {
    bytes: Uint8Array
  }
  expect(bytes).toStrictEqual(new Uint8Array([97, 98, 99]))
  expect(bytes.buffer.byteLength).toBe(3)
  expect(rest).toStrictEqual({ part: new Float32Array([2, 3]), view: new Uint8Array([7, 8]) })
})

test('empty bytes are a value of their own each time, also as two keys of one Map', () => {
  const value = new Map([
    [new Uint8Array(), 1],
    [new Uint8Array(), 2],
  ])
  expect(roundTrip(value)).toStrictEqual(value)
  const [a, b] = roundTrip([new Uint8Array(), new Uint8Array()]) as Uint8Array[]
  expect(a).not.toBe(b)
})

test('properties and entries keep their order', () => {
  const value = { zebra: 1, a: new Map([['y', 1], ['b', 2]]), mm: 3 } // biome-ignore format: short
  const back = roundTrip(value) as typeof value
  expect(Object.keys(back)).toEqual(['zebra', 'a', 'mm'])
  expect([...back.a.keys()]).toEqual(['y', 'b'])
})

test('objects of classes arrive as plain ones, those with a toJSON as what that says', () => {
  class Point {
    x = 1
  }
  expect(roundTrip([new Point(), new URL('http://a.b/c'), { toJSON: () => 'x' }])).toEqual([
    { x: 1 },
    'http://a.b/c',
    'x',
  ])
})

class Empty {
  readonly #inner = 1
  inner = () => this.#inner
}
const circle: unknown[] = []
circle.push({ circle })

test.each([
  ['a function', { rows: [{ map: () => 1 }] }, /^rows\.0\.map: CBOR has no function/],
  ['a symbol in a Set', new Set([Symbol.iterator]), /^0: CBOR has no symbol/],
  ['a Promise', { later: Promise.resolve() }, /^later: CBOR leaves out .*await it/],
  ['an Error', new Error('x'), /pass its message/],
  ['a RegExp', { by: /x/ }, /^by: a RegExp shows nothing of itself/],
  ['an invalid Date', { at: new Date('x') }, /^at: an invalid Date/],
  ['half of a character', { text: '\ud800' }, /^text: has half of a character/],
  ['a key with half of a character', { '\ud800': 1 }, /key with half of a character/],
  ['a boxed number', { n: Object(1) }, /^n: pass what is in a Number/],
  ['a function as an object', new Empty(), /^inner: CBOR has no function/],
  ['the value of a Map', new Map([['k', { f: Empty }]]), /^"k"\.f: CBOR has no function/],
  ['a circle', circle, /^is nested deeper than 500 levels, or refers back/],
  ['bytes that were transferred', transferred(), /were transferred away/],
])('%s is refused, naming where it is', (_, value, problem) => {
  expect(() => cborBytes(value)).toThrow(problem)
})

function transferred(): Uint8Array {
  const bytes = new Uint8Array(8)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  return bytes
}

test('a toJSON that writes CBOR itself is refused and harms no other value', () => {
  expect(() => cborBytes({ a: { toJSON: () => cborBytes({ b: 1 }) } })).toThrow('of another one')
  expect(roundTrip({ c: 1 })).toEqual({ c: 1 })
})

test('what is as deep as may be comes back, and what is deeper is refused at both ends', () => {
  const nested = (levels: number) => {
    let value: unknown = []
    for (let level = 1; level < levels; level += 1) value = [value]
    return value
  }
  expect(roundTrip(nested(500))).toEqual(nested(500))
  expect(() => cborBytes(nested(501))).toThrow('deeper than 500')
  expect(() => parseCbor(Buffer.alloc(100_000, 0x81))).toThrow('deeper than 500')
  expect(() => parseCbor(Buffer.alloc(100_000, 0xc1))).toThrow('deeper than 500')
})

test.each([
  [
    'a date as text',
    'c0 74 323032362d30312d30325430333a30343a30355a',
    new Date('2026-01-02T03:04:05Z'),
  ],
  [
    'a map with numbers as keys',
    'a2 01 61 61 02 61 62',
    new Map([
      [1, 'a'],
      [2, 'b'],
    ]),
  ],
  ['a list and a map of no told length', '9f 01 bf 61 61 02 ff ff', [1, { a: 2 }]],
  ['a text in pieces', '7f 61 61 62 c3b6 60 ff', 'aö'],
  ['bytes in pieces', '82 5f 41 01 42 0203 ff 5f ff', [Uint8Array.of(1, 2, 3), new Uint8Array()]],
  ['a key in pieces', 'a1 7f 61 61 ff 01', { a: 1 }],
  ['a text that begins with a mark', '64 efbbbf61', '\ufeffa'],
  ['a text with the mark of what was lost elsewhere', '63 efbfbd', '\ufffd'],
  ['an integer beyond the safe ones', '1b 0020000000000001', 9007199254740993n],
  ['the mark of CBOR', 'd9d9f7 01', 1],
  [
    'a key that is no key to JavaScript',
    'a1 69 5f5f70726f746f5f5f 01',
    JSON.parse('{"__proto__":1}'),
  ],
])('%s of another language is read', (_, bytes, value) => {
  // biome-ignore format: table
  expect(parseCbor(hex(bytes))).toStrictEqual(value)
})

test.each([
  ['nothing', '', 'it ends before its end'],
  ['a list that is shorter than it says', '9b 0000000100000000 01', 'it ends before its end'],
  ['bytes that are fewer than they say', '5a 7fffffff 01', 'not CBOR'],
  ['two values', '01 02', 'something follows the value'],
  ['a key twice', 'a2 61 61 01 61 61 02', 'a map has a key twice'],
  ['a value of a set twice', 'd90102 82 01 01', 'a set has a value twice'],
  ['a tag of something else', 'd903e8 01', 'tag 1000 has no counterpart here'],
  ['a date that is none', 'c1 fb 7ff8000000000000', 'a date is none'],
  ['a big integer of text', 'c2 61 61', 'must be bytes'],
  ['numbers that are cut', 'd856 43 010203', 'ends within one'],
  ['a break outside', 'ff', 'a break'],
  ['a text that is no UTF-8', '62 c328', 'a text is no UTF-8'],
  ['a text that ends within a character', '63 f09f98', 'a text is no UTF-8'],
  ['a piece that ends within a character', '7f 61 c3 61 b6 ff', 'a text is no UTF-8'],
  ['bytes among the pieces of a text', '7f 41 61 ff', 'something else'],
  ['a piece in pieces', '5f 5f ff ff', 'is itself in pieces'],
  ['pieces without an end', '7f 61 61', 'it ends before its end'],
  [
    'a day that there is not',
    `c0 74 ${Buffer.from('2013-02-30T20:04:00Z').toString('hex')}`,
    'none',
  ],
  ['a break within a list of a told length', '82 01 ff', 'a break'],
])('%s is refused', (_, bytes, problem) => {
  expect(() => parseCbor(hex(bytes))).toThrow(SyntaxError)
  expect(() => parseCbor(hex(bytes))).toThrow(problem)
})

test('arbitrary bytes are a value or refused, nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        parseCbor(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError)
      }
    }),
    { numRuns: 3_000 },
  )
})

test('a large big integer is read in no more time than its length asks for', () => {
  const bytes = new Uint8Array(1_000_000).fill(0xff)
  const value = 2n ** 8_000_000n - 1n
  expect(parseCbor(Buffer.concat([hex('c2 5a 000f4240'), bytes]))).toBe(value)
})

test('CBOR is read wherever a content type says so, whoever wrote it', () => {
  expect(decodeValue(cborBytes({ n: 1n }), CBOR_TYPE)).toEqual({ n: 1n })
  expect(() => decodeValue(hex('ff'), CBOR_TYPE)).toThrow(SyntaxError)
})
