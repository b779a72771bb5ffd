import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { jsonText } from './payload.ts'

class Secret {
  readonly #code = 7
  get code(): number {
    return this.#code
  }
}

class Point {
  readonly x = 1
  readonly y = 2
}

const lost: [what: string, value: unknown, message: string][] = [
  ['a Map', new Map([[1, 2]]), 'JSON leaves out what is in a Map: pass its entries'],
  ['a nested Map', { a: [{ b: new Map() }] }, 'a.0.b: JSON leaves out what is in a Map'],
  ['a Set', { tags: new Set([1]) }, 'tags: JSON leaves out what is in a Set: pass its values'],
  ['a Blob', new Blob(['a']), 'a Blob: pass its bytes, await blob.arrayBuffer()'],
  ['a Promise', [Promise.resolve(1)], '0: JSON leaves out what is in a Promise: await it'],
  ['an Error', { e: Object.assign(new TypeError(), { code: 1 }) }, 'what is in a TypeError: pass'],
  ['parameters of a URL', new URLSearchParams('a=1'), 'the JSON of a URLSearchParams is {}'],
  ['a pattern', { like: /a/ }, 'like: the JSON of a RegExp is {}'],
  ['what is private', { s: new Secret() }, 's: the JSON of a Secret is {}: pass what is in it'],
  ['what is inherited', Object.create({ a: 1 }), 'is {}: pass what is in it'],
  ['NaN', { n: NaN }, 'n: JSON has no NaN; it would become null'],
  ['Infinity', [1, Infinity], '1: JSON has no Infinity'],
  ['a boxed NaN', [new Number(NaN)], '0: JSON has no NaN'],
  ['-Infinity', -Infinity, 'JSON has no -Infinity'],
  ['a number in a wide table', wide(), 'key77: JSON has no NaN'],
  ['undefined in a list', { list: [1, undefined] }, 'list.1: JSON has no undefined'],
  ['a hole', { list: new Array(1) }, 'list.0: JSON has no undefined'],
  ['a function', { a: { f: () => 1 } }, 'a.f: JSON has no function'],
  ['a function alone', () => 1, 'JSON has no function'],
  ['a symbol', { s: Symbol('s') }, 's: JSON has no symbol'],
  ['a bigint', { rows: [{ n: 1n }] }, 'rows.0.n: JSON has no bigint'],
  ['bytes within', { data: new Uint8Array(2) }, 'data: JSON has no bytes: pass them alone'],
  ['a Buffer within', { data: Buffer.from('a') }, 'data: JSON has no bytes'],
  ['an ArrayBuffer within', [new ArrayBuffer(2)], '0: JSON has no bytes'],
  ['numbers of a fixed size', { data: new Float64Array(2) }, 'data: JSON has no bytes'],
  ['an invalid Date', { at: new Date(NaN) }, 'at: an invalid Date would become null'],
  ['a toJSON that loses', { a: { toJSON: () => ({ m: new Map() }) } }, 'a.m: JSON leaves out'],
  ['what it says itself', toJsonOf({ n: NaN }), 'n: JSON has no NaN'],
  ['a toJSON without a word in a list', [{ toJSON: () => undefined }], '0: JSON has no undefined'],
  ['a list that says what its JSON is', [listOf(() => NaN)], '0: JSON has no NaN'],
  [
    'what a toJSON says of its place',
    { n: { toJSON: (at: string) => at === 'n' && NaN } },
    'n: JSON',
  ],
  ['a circle', circle(), 'self: refers back to what it is a part of'],
  ['more levels than a stack', levels(200_000), 'is nested too deep'],
]

test.each(lost)('%s is refused with its path', (_what, value, message) => {
  expect(() => jsonText(value)).toThrow(message)
  expect(() => jsonText(value)).toThrow(TypeError)
})

const kept: [what: string, value: unknown, json: string][] = [
  ['an absent property', { a: undefined, b: 1 }, '{"b":1}'],
  ['what symbols name', { [Symbol('s')]: 1, b: 1 }, '{"b":1}'],
  ['a Date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['a URL', [new URL('http://a/')], '["http://a/"]'],
  ['an object of a class', { p: new Point() }, '{"p":{"x":1,"y":2}}'],
  ['an object without a class', Object.create(null), '{}'],
  ['an object of another realm', runInNewContext('({ a: {} })'), '{"a":{}}'],
  ['a Map that says what its JSON is', mapWithJson(), '{"m":[1]}'],
  ['a property whose toJSON has no word', { a: { toJSON: () => undefined }, b: 1 }, '{"b":1}'],
  ['what a list has besides its elements', Object.assign([1], { by: 'ann' }), '[1]'],
  ['-0', [-0], '[0]'],
  ['a list whose JSON is something else', [listOf(() => 'ok')], '["ok"]'],
  ['boxed values', [new Number(1), new String('a'), new Boolean(true)], '[1,"a",true]'],
  ['empty ones', { a: [], b: {}, c: '', d: null, e: 0, f: false }, emptyOnes()],
]

test.each(kept)('%s travels', (_what, value, json) => {
  expect(jsonText(value)).toBe(json)
})

test('undefined alone is no value', () => {
  expect(jsonText(undefined)).toBeUndefined()
})

function wide(): Record<string, number> {
  return Object.fromEntries(Array.from({ length: 99 }, (_, n) => [`key${n}`, n === 77 ? NaN : n]))
}

function circle(): unknown {
  const value: Record<string, unknown> = {}
  value.self = value
  return value
}

function levels(count: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < count; level += 1) value = [value]
  return value
}

function toJsonOf(value: object): unknown {
  return Object.assign(value, {
    toJSON() {
      return this
    },
  })
}

function listOf(toJSON: () => unknown): unknown {
  return Object.assign([new Map()], { toJSON })
}

function mapWithJson(): unknown {
  return { m: Object.assign(new Map([[1, 2]]), { toJSON: () => [1] }) }
}

function emptyOnes(): string {
  return '{"a":[],"b":{},"c":"","d":null,"e":0,"f":false}'
}
