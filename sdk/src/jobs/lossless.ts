/**
 * What JSON would lose without a word. The walk goes beside `JSON.stringify`, reads values as that does, and
 * stops at the first that would not arrive as it was sent.
 *
 * Absent by nature, as TypeScript means them, and so no loss: properties that are `undefined`, not enumerable, or named
 * by symbols, what lists have besides their elements, what an object of a class keeps elsewhere than in its properties, as
 * long as it has some, and the sign of -0.
 */
import { types } from 'node:util'
import { shown } from '../arguments/shown.ts'

/** A value that JSON would lose. */
export interface Loss {
  /** What leads to it, innermost first; empty for the value itself. */
  readonly keys: (string | number)[]
  /** What is wrong with it. */
  readonly problem: string
}

/**
 * The first loss within a value, undefined where there is none. Only for what `JSON.stringify` could write, which has
 * no circles.
 */
export function lossIn(value: unknown, key: string | number = ''): Loss | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : lost(`JSON has no ${value}; it would become null`)
    case 'object':
      if (value === null) return undefined
      return hasToJson(value) ? lossInJsonOf(value, key) : lossInContents(value)
    case 'undefined':
      return lost('JSON has no undefined; in a list it would become null')
    default:
      return hasToJson(value) ? lossInJsonOf(value, key) : lost(`JSON has no ${typeof value}`)
  }
}

function lossInContents(value: object): Loss | undefined {
  if (Array.isArray(value)) return lossInList(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return lossInProperties(value)
  return lossInInstance(value, prototype)
}

function lossInList(list: readonly unknown[]): Loss | undefined {
  for (let at = 0; at < list.length; at += 1) {
    const loss = lossIn(list[at], at)
    if (loss !== undefined) return under(at, loss)
  }
  return undefined
}

/** Objects with more properties are tables: their values are had faster all at once, those of others one by one. */
const PROPERTIES_MAX = 50

function lossInProperties(value: object): Loss | undefined {
  const keys = Object.keys(value)
  const values: unknown[] | undefined =
    keys.length > PROPERTIES_MAX ? Object.values(value) : undefined
  for (let at = 0; at < keys.length; at += 1) {
    const key = keys[at] as keyof typeof value
    const inner: unknown = values === undefined ? value[key] : values[at]
    if (inner === undefined || typeof inner === 'string') continue
    const loss = lossIn(inner, key)
    if (loss !== undefined) return under(key, loss)
  }
  return undefined
}

/** Asks a `toJSON` once more, since what it said was not kept. `key` is where the value stands: a number in a list. */
function lossInJsonOf(value: Jsonable, key: string | number): Loss | undefined {
  if (ArrayBuffer.isView(value)) return lost(BYTES_WITHIN)
  if (types.isDate(value)) {
    return Number.isNaN(value.getTime()) ? lost('an invalid Date would become null') : undefined
  }
  const json = value.toJSON(String(key))
  // A property that says so is left out, as one that is undefined is.
  if (json === undefined) return typeof key === 'number' ? lossIn(json) : undefined
  return typeof json === 'object' && json !== null ? lossInContents(json) : lossIn(json)
}

/** Objects of classes are written as their properties; some keep their contents elsewhere. */
function lossInInstance(value: object, prototype: unknown): Loss | undefined {
  if (types.isBoxedPrimitive(value)) return lossIn(value.valueOf())
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return lost(BYTES_WITHIN)
  const instead = INSTEAD[tagOf(value)]
  if (instead !== undefined) return lost(`JSON leaves out what is in ${shown(value)}: ${instead}`)
  // Objects of another realm are plain all the same.
  const isPlain = Object.getPrototypeOf(prototype) === null
  if (isPlain || Object.keys(value).length > 0) return lossInProperties(value)
  return lost(`the JSON of ${shown(value)} is {}: pass what is in it as a plain object`)
}

const BYTES_WITHIN =
  'JSON has no bytes: pass them alone, as a base64 text, or put them and pass the address'

/** What to pass instead of an object of the language or the platform, by its tag; other tags need no advice. */
export const INSTEAD: Readonly<Record<string, string>> = {
  Map: 'pass its entries, as in [...map]',
  Set: 'pass its values, as in [...set]',
  Blob: 'pass its bytes, await blob.arrayBuffer(), or put blob.stream()',
  File: 'pass its bytes, await file.arrayBuffer(), or put file.stream()',
  Promise: 'await it',
  Error: 'pass its message, and what else is wanted of it',
}

export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

interface Jsonable {
  toJSON(key: string): unknown
}

export function hasToJson(value: unknown): value is Jsonable {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}

export function lost(problem: string): Loss {
  return { keys: [], problem }
}

export function under(key: string | number, loss: Loss): Loss {
  loss.keys.push(key)
  return loss
}
