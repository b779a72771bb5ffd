/**
 * One walk over a value before it is remembered: what it weighs, and whether sharing it is safe.
 */
import { types } from 'node:util'
import { isFrozenDate, isPlainDate } from './frozen-date.ts'

/**
 * How a value can be shared:
 * - `freezable`: plain objects, arrays, Dates and scalars all the way down.
 * - `copyable`: also Map, Set, RegExp, ArrayBuffer, typed arrays, DataView and Buffer, whose
 *   contents `Object.freeze` leaves open, but of which `copyValue` makes a faithful copy.
 * - `opaque`: something with state of its own that can be neither frozen nor copied: class
 *   instances, functions, accessors, promises, proxies, weak collections, shared memory.
 */
export type Shareability = 'freezable' | 'copyable' | 'opaque'

export interface Inspection {
  readonly shareability: Shareability
  /** Estimated bytes on the heap; what is reached twice counts once. */
  readonly bytes: number
  /** Every object reached, the outermost first. */
  readonly objects: readonly object[]
}

const OBJECT_BYTES = 56
const PROPERTY_BYTES = 8
const ELEMENT_BYTES = 8
const DATE_BYTES = 96
const MAP_ENTRY_BYTES = 40
/** Assumes two bytes a character, as V8 needs outside of Latin-1. */
const stringBytes = (text: string): number => 16 + 2 * text.length

/** The estimated bytes of a scalar; 0 for an object. */
export function scalarBytes(value: unknown): number {
  if (typeof value === 'string') return stringBytes(value)
  if (typeof value === 'bigint') return 24
  return typeof value === 'number' ? 8 : 0
}

/** Walks all of `value`: time is proportional to its size. Does not change it. */
export function inspectValue(value: unknown): Inspection {
  const walk = new Walk()
  walk.visit(value)
  for (const object of walk.objects) walk.expand(object)
  return walk
}

/** Up to this many objects, looking through the list is cheaper than a Set. */
const LIST_MAX = 16

class Walk implements Inspection {
  /** Grows while it is iterated. */
  readonly objects: object[] = []
  #seen: Set<object> | undefined
  shareability: Shareability = 'freezable'
  bytes = 0

  visit(value: unknown): void {
    if (typeof value === 'object' && value !== null) this.#meet(value)
    else if (typeof value === 'function') this.shareability = 'opaque'
    else this.bytes += scalarBytes(value)
  }

  #meet(object: object): void {
    if (this.#seen === undefined) {
      if (this.objects.includes(object)) return
      this.objects.push(object)
      if (this.objects.length > LIST_MAX) this.#seen = new Set(this.objects)
    } else if (!this.#seen.has(object)) {
      this.#seen.add(object)
      this.objects.push(object)
    }
  }

  expand(object: object): void {
    if (types.isProxy(object)) {
      this.shareability = 'opaque' // whatever it shows now, its target stays open
    } else if (Array.isArray(object) && Object.getPrototypeOf(object) === Array.prototype) {
      this.#array(object)
    } else if (object instanceof Date) {
      this.bytes += DATE_BYTES
      const frozen = isFrozenDate(object)
      if (!frozen && !isPlainDate(object)) this.shareability = 'opaque'
      if (Reflect.ownKeys(object).length > 0) this.shareability = 'opaque'
    } else if (isPlain(object)) {
      this.#properties(object)
    } else if (isCopyable(object)) {
      this.#builtIn(object)
    } else {
      this.shareability = 'opaque'
      this.#properties(object)
    }
  }

  #array(array: readonly unknown[]): void {
    const keys = Reflect.ownKeys(array)
    if (keys.length !== array.length + 1) {
      // holes or named properties (as of a RegExp match): read like an object
      this.#properties(array)
      return
    }
    this.bytes += OBJECT_BYTES + ELEMENT_BYTES * array.length
    for (let i = 0; i < array.length; i++) this.visit(array[i])
  }

  #properties(object: object): void {
    this.bytes += OBJECT_BYTES
    for (const key of Reflect.ownKeys(object)) {
      this.bytes += PROPERTY_BYTES
      const property = Reflect.getOwnPropertyDescriptor(object, key)
      if (property === undefined) continue
      if ('value' in property) this.visit(property.value)
      // an accessor answers from state that freezing does not reach
      else this.shareability = 'opaque'
    }
  }

  #builtIn(object: object): void {
    if (this.shareability === 'freezable') this.shareability = 'copyable'
    this.bytes += OBJECT_BYTES
    if (ArrayBuffer.isView(object)) {
      this.bytes += object.byteLength
      if (object.buffer instanceof SharedArrayBuffer) this.shareability = 'opaque'
    } else if (object instanceof ArrayBuffer) {
      this.bytes += object.byteLength
    } else if (object instanceof Map) {
      this.bytes += MAP_ENTRY_BYTES * object.size
      for (const [key, value] of object) {
        this.visit(key)
        this.visit(value)
      }
    } else if (object instanceof Set) {
      this.bytes += MAP_ENTRY_BYTES * object.size
      for (const value of object) this.visit(value)
    }
    const hasOwnNames = !ArrayBuffer.isView(object) && !(object instanceof RegExp)
    if (hasOwnNames && Reflect.ownKeys(object).length > 0) this.shareability = 'opaque'
  }
}

/** A plain object: with the ordinary prototype or none. */
export function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object)
  return prototype === Object.prototype || prototype === null
}

const COPYABLE_PROTOTYPES: ReadonlySet<object> = new Set(
  [
    Map,
    Set,
    RegExp,
    ArrayBuffer,
    DataView,
    Buffer,
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((builtIn) => builtIn.prototype),
)

/**
 * Exactly a built-in whose copy is faithful; a subclass may hold more than a copy would carry over.
 */
function isCopyable(object: object): boolean {
  return COPYABLE_PROTOTYPES.has(Object.getPrototypeOf(object))
}
