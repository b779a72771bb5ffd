/**
 * What CBOR says by tags, written for values of JavaScript and read from anybody: dates 0 and 1, big integers 2 and 3 (RFC 8949,
 * 3.4), typed arrays 64 to 87 (RFC 8746), sets 258, maps 259 (both of the IANA registry), and the mark of CBOR itself, 55799.
 */
import type { EncodeOptions } from 'cborg'
import { cborLibrary } from './cbor-library.ts'
import { hasToJson } from './lossless.ts'

/** Arrays of numbers, by their tags in the language; with the function of the library that writes them. */
const ARRAYS = {
  Int8Array: 'int8ArrayEncoder',
  Uint8ClampedArray: 'uint8ClampedArrayEncoder',
  Int16Array: 'int16ArrayEncoder',
  Uint16Array: 'uint16ArrayEncoder',
  Int32Array: 'int32ArrayEncoder',
  Uint32Array: 'uint32ArrayEncoder',
  Float32Array: 'float32ArrayEncoder',
  Float64Array: 'float64ArrayEncoder',
  BigInt64Array: 'bigInt64ArrayEncoder',
  BigUint64Array: 'bigUint64ArrayEncoder',
} as const

export function isNumbersTag(tag: string): boolean {
  return Object.hasOwn(ARRAYS, tag)
}

let encoders: EncodeOptions['typeEncoders']

/** How the values are written that are more than JSON, by their tags in the language. */
export function typeEncoders(): EncodeOptions['typeEncoders'] {
  encoders ??= createTypeEncoders()
  return encoders
}

function createTypeEncoders(): EncodeOptions['typeEncoders'] {
  const library = cborLibrary()
  const { Token, Type, objectToTokens, mapEncoder, setEncoder } = library
  const arrays = Object.entries(ARRAYS).map(([tag, name]) => [tag, library[name]] as const)
  return {
    ...Object.fromEntries(arrays),
    Object: jsonTokens,
    URL: jsonTokens,
    bigint: bigintTokens,
    // Whole seconds are an integer, others a float.
    Date: (date: Date, _type, options) => [
      new Token(Type.tag, 1),
      objectToTokens(date.getTime() / 1_000, options),
    ],
    Map: mapEncoder,
    Set: setEncoder,
    SharedArrayBuffer: (buffer: SharedArrayBuffer) => new Token(Type.bytes, new Uint8Array(buffer)),
  }
}

type TypeEncoder = NonNullable<EncodeOptions['typeEncoders']>[string]
type Tokens = ReturnType<TypeEncoder>

/** An object with a `toJSON` is what that says, as in JSON. */
function jsonTokens(...[value, , options, above]: Parameters<TypeEncoder>): Tokens {
  if (!hasToJson(value)) return null
  return cborLibrary().objectToTokens(value.toJSON(''), options, above)
}

/** Always a big integer, however small, so that it is read as one. */
function bigintTokens(value: bigint): Tokens {
  const { Token, Type } = cborLibrary()
  const magnitude = (value < 0n ? -1n - value : value).toString(16)
  const bytes = Buffer.from(
    magnitude.padStart(magnitude.length + (magnitude.length % 2), '0'),
    'hex',
  )
  return [new Token(Type.tag, value < 0n ? 3 : 2), new Token(Type.bytes, new Uint8Array(bytes))]
}

/** What tags make of what they are on; throws where it is not that. */
export const TAG_READERS: ReadonlyMap<unknown, (content: unknown) => unknown> = new Map([
  [0, (text) => dateOf(typeof text === 'string' ? msOfText(text) : NaN)],
  [1, (seconds) => dateOf(typeof seconds === 'number' ? msFrom(seconds) : NaN)],
  [2, (bytes) => bigintOf(bytes)],
  [3, (bytes) => -1n - bigintOf(bytes)],
  [68, arrayReader(Uint8ClampedArray)],
  [64, (bytes) => bytesOf(bytes)],
  [69, arrayReader(Uint16Array)],
  [70, arrayReader(Uint32Array)],
  [71, arrayReader(BigUint64Array)],
  [72, arrayReader(Int8Array)],
  [77, arrayReader(Int16Array)],
  [78, arrayReader(Int32Array)],
  [79, arrayReader(BigInt64Array)],
  [85, arrayReader(Float32Array)],
  [86, arrayReader(Float64Array)],
  [258, setOf],
  [55_799, (content) => content],
])

/** The tag of a map that is no object. */
export const MAP_TAG = 259

const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/

/** Of a day that there is: the 30th of February would be one in March. */
function msOfText(text: string): number {
  const day = RFC_3339.exec(text)?.[1]
  if (day === undefined) return NaN
  const midnight = dateOf(Date.parse(`${day}T00:00:00Z`))
  return midnight.toISOString().startsWith(day) ? Date.parse(text) : NaN
}

function dateOf(ms: number): Date {
  const date = new Date(ms)
  if (Number.isNaN(date.getTime())) throw new SyntaxError('a date is none')
  return date
}

/** Exact for every Date there is: all at once the seconds of far ones would be rounded twice. */
function msFrom(seconds: number): number {
  const whole = Math.trunc(seconds)
  return whole * 1_000 + Math.round((seconds - whole) * 1_000)
}

function bigintOf(bytes: unknown): bigint {
  return BigInt(`0x0${Buffer.from(bytesOf(bytes)).toString('hex')}`)
}

function setOf(list: unknown): Set<unknown> {
  if (!Array.isArray(list)) throw new SyntaxError('a set is no list')
  const set = new Set(list)
  if (set.size < list.length) throw new SyntaxError('a set has a value twice')
  return set
}

type TypedArray = (new (buffer: ArrayBuffer) => object) & { readonly BYTES_PER_ELEMENT: number }

/** Of little-endian numbers, as JavaScript has them on every machine that Node knows. */
function arrayReader(TypedArray: TypedArray): (bytes: unknown) => object {
  return (content) => {
    const bytes = bytesOf(content)
    if (bytes.byteLength % TypedArray.BYTES_PER_ELEMENT !== 0) {
      throw new SyntaxError('an array of numbers ends within one')
    }
    // A buffer of their own: elsewhere they would not be aligned.
    return new TypedArray(new Uint8Array(bytes).buffer)
  }
}

function bytesOf(content: unknown): Uint8Array {
  if (content instanceof Uint8Array) return content
  throw new SyntaxError('what must be bytes is something else')
}
