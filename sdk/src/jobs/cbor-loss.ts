/**
 * What CBOR would lose without a word; as lossless is for JSON. It holds dates, bytes, arrays of numbers, big integers, maps, sets
 * and `undefined`, so that what is left are things of the running program.
 */
import { types } from 'node:util'
import { shown } from '../arguments/shown.ts'
import { CBOR_DEPTH_MAX } from './cbor-reader.ts'
import { isNumbersTag } from './cbor-tags.ts'
import { hasToJson, INSTEAD, type Loss, lost, tagOf, under } from './lossless.ts'

/** The first loss within a value, undefined where there is none. Circles are found by their depth. */
export function cborLossIn(value: unknown, levels: number = CBOR_DEPTH_MAX): Loss | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : lost('has half of a character, which UTF-8 cannot')
    case 'function':
    case 'symbol':
      return lost(`CBOR has no ${typeof value}`)
    case 'object':
      if (value === null) return undefined
      if (levels === 0) return TOO_DEEP
      return lossInObject(value, levels)
    default:
      return undefined
  }
}

const TOO_DEEP: Loss = {
  keys: [],
  problem: `is nested deeper than ${CBOR_DEPTH_MAX} levels, or refers back to what it is a part of`,
}

function lossInObject(value: object, levels: number): Loss | undefined {
  if (Array.isArray(value)) return lossInEntries(value.entries(), levels)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return lossInProperties(value, levels)
  if (types.isDate(value)) {
    return Number.isNaN(value.getTime()) ? lost('an invalid Date is none') : undefined
  }
  // Two levels each: the tag is one.
  if (types.isMap(value)) return lossInMap(value, levels - 1)
  if (types.isSet(value)) return lossInEntries([...value].entries(), levels - 1)
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return lossInBytes(value)
  return lossInInstance(value, levels)
}

function lossInProperties(value: object, levels: number): Loss | undefined {
  if (hasToJson(value)) return cborLossIn(value.toJSON(''), levels - 1)
  const keys = Object.keys(value)
  if (!keys.every((key) => key.isWellFormed())) {
    return lost('has a key with half of a character, which UTF-8 cannot')
  }
  return lossInEntries(Object.entries(value), levels)
}

function lossInEntries(
  entries: Iterable<readonly [string | number, unknown]>,
  levels: number,
): Loss | undefined {
  for (const [key, value] of entries) {
    const loss = cborLossIn(value, levels - 1)
    // The path to what is too deep would be as long as it is deep.
    if (loss !== undefined) return loss === TOO_DEEP ? loss : under(key, loss)
  }
  return undefined
}

function lossInMap(map: Map<unknown, unknown>, levels: number): Loss | undefined {
  for (const [key, value] of map) {
    const loss = cborLossIn(key, levels - 1) ?? cborLossIn(value, levels - 1)
    if (loss !== undefined) return loss === TOO_DEEP ? loss : under(shown(key), loss)
  }
  return undefined
}

function lossInBytes(value: ArrayBufferView | ArrayBufferLike): Loss | undefined {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value
  if (buffer instanceof ArrayBuffer && buffer.detached) {
    return lost(`the bytes of ${shown(value)} were transferred away`)
  }
  const isKnown =
    value instanceof Uint8Array || BYTES.has(tagOf(value)) || isNumbersTag(tagOf(value))
  return isKnown ? undefined : lost(`CBOR has no ${tagOf(value)}: pass its bytes`)
}

const BYTES: ReadonlySet<string> = new Set(['ArrayBuffer', 'SharedArrayBuffer', 'DataView'])

/** Objects of classes are written as their properties; some keep their contents elsewhere. */
function lossInInstance(value: object, levels: number): Loss | undefined {
  if (hasToJson(value)) return cborLossIn(value.toJSON(''), levels - 1)
  if (types.isBoxedPrimitive(value)) return lost(`pass what is in ${shown(value)}, not its box`)
  const instead = INSTEAD[tagOf(value)]
  if (instead !== undefined) return lost(`CBOR leaves out what is in ${shown(value)}: ${instead}`)
  const isPlain = Object.getPrototypeOf(Object.getPrototypeOf(value)) === null
  if (isPlain || Object.keys(value).length > 0) return lossInProperties(value, levels)
  return lost(`${shown(value)} shows nothing of itself: pass what is in it as a plain object`)
}
