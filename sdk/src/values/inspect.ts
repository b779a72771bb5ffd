/**
 * One walk over a value before it is remembered: what it weighs, and whether sharing it is safe.
 */

import { isFrozenDate, isOfDatePrototype, isPlainDate } from './frozen-date.ts'
import { BUFFER_PROTOTYPES, isBuffer, types } from './runtime.ts'

/**
 * How a value can be shared:
 * - `freezable`: plain objects, arrays, Dates and scalars all the way down.
 * - `copyable`: also Map, Set, RegExp, ArrayBuffer, typed arrays, DataView and Buffer, whose
 *   contents `Object.freeze` leaves open, but of which `copyValue` makes a faithful copy. Names
 *   given to a typed array are the exception: looking for them would read every element.
 * - `opaque`: something with state of its own that can be neither frozen nor copied: class
 *   instances, functions, accessors, promises, proxies, weak collections, shared memory.
 */
export type Shareability = 'freezable' | 'copyable' | 'opaque'

export interface Inspection {
  readonly shareability: Shareability
  /** The first thing met that cannot be frozen, as words after "holds"; empty when there is none. */
  readonly obstacle: string
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
/** From here on V8 keeps properties in a table with names of the object's own. */
const PROPERTIES_SHARED_MAX = 128
const TABLE_PROPERTY_BYTES = 32
/** Assumes two bytes a character, as V8 needs outside of Latin-1. */
export const stringBytes = (text: string): number => 16 + 2 * text.length

/** The estimated bytes of a scalar; 0 for an object. */
export function scalarBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return stringBytes(value)
    case 'bigint':
      return bigintBytes(value)
    case 'number':
      return 8
    default:
      return 0
  }
}

const BIGINT_SMALL = 2n ** 64n

function bigintBytes(value: bigint): number {
  const isSmall = value < BIGINT_SMALL && value > -BIGINT_SMALL
  return isSmall ? 24 : 16 + Math.ceil(value.toString(16).length / 2)
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
  /** Memory that an object of the value shows whole or in part. */
  readonly #buffers = new Set<ArrayBufferLike>()
  shareability: Shareability = 'freezable'
  obstacle = ''
  bytes = 0

  visit(value: unknown): void {
    if (typeof value === 'object' && value !== null) this.#meet(value)
    else if (typeof value === 'function') this.#obstruct('opaque', 'a function')
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

  #obstruct(shareability: 'copyable' | 'opaque', obstacle: string): void {
    if (this.shareability === 'opaque' || this.shareability === shareability) return
    this.shareability = shareability
    this.obstacle = obstacle
  }

  expand(object: object): void {
    if (types.isProxy(object)) {
      this.#obstruct('opaque', 'a proxy') // whatever it shows now, its target stays open
    } else if (isPlainArray(object)) {
      this.#array(object)
    } else if (types.isDate(object)) {
      this.#date(object)
    } else if (isPlain(object)) {
      this.#properties(object)
    } else {
      this.#other(object)
    }
  }

  #array(array: readonly unknown[]): void {
    if (!isDense(array)) {
      // holes or named properties (as of a RegExp match): read like an object
      this.bytes += ELEMENT_BYTES * array.length
      this.#properties(array)
      return
    }
    this.bytes += OBJECT_BYTES + ELEMENT_BYTES * array.length
    for (let i = 0; i < array.length; i++) this.#property(array, i)
  }

  #properties(object: object): void {
    const keys = Reflect.ownKeys(object)
    if (keys.length === 0 && isDisguised(object)) {
      this.#obstruct('opaque', 'a built-in object without its prototype')
    }
    const areNamesItsOwn = keys.length > PROPERTIES_SHARED_MAX && !Array.isArray(object)
    this.bytes += OBJECT_BYTES
    for (const key of keys) {
      this.bytes += PROPERTY_BYTES
      if (areNamesItsOwn) this.bytes += TABLE_PROPERTY_BYTES + stringBytes(key.toString())
      this.#property(object, key)
    }
  }

  #property(object: object, key: PropertyKey): void {
    const property = Reflect.getOwnPropertyDescriptor(object, key)
    if (property === undefined) return
    if ('value' in property) this.visit(property.value)
    // an accessor answers from state that freezing does not reach
    else this.#obstruct('opaque', 'an accessor')
  }

  #date(date: Date): void {
    this.bytes += DATE_BYTES
    if (!isOfDatePrototype(date)) this.#obstruct('opaque', 'a class instance')
    else if (Reflect.ownKeys(date).length > 0) {
      this.#obstruct('opaque', 'a Date with properties of its own')
    } else if (!isFrozenDate(date) && !isPlainDate(date)) {
      this.#obstruct('copyable', 'a Date frozen by somebody else, which can still be set')
    }
  }

  /** What is neither plain nor a Date: weighed, and copyable if it is exactly a known built-in. */
  #other(object: object): void {
    if (types.isMap(object)) this.#contents(object, object.size, object.entries())
    else if (types.isSet(object)) this.#contents(object, object.size, object.values())
    else if (types.isRegExp(object)) this.#builtIn(object, Reflect.ownKeys(object).length === 1)
    else if (ArrayBuffer.isView(object)) this.#view(object)
    else if (types.isAnyArrayBuffer(object)) {
      this.bytes += OBJECT_BYTES + object.byteLength
      this.#buffer(object)
      this.#builtIn(object, !types.isSharedArrayBuffer(object) && hasNoProperties(object))
    } else {
      this.#obstruct('opaque', describe(object))
      this.#properties(object)
    }
  }

  #contents(object: object, size: number, items: Iterable<unknown>): void {
    this.bytes += OBJECT_BYTES + MAP_ENTRY_BYTES * size
    for (const item of items) {
      if (!types.isMap(object)) this.visit(item)
      else for (const half of item as [unknown, unknown]) this.visit(half)
    }
    this.#builtIn(object, hasNoProperties(object))
  }

  #view(view: ArrayBufferView): void {
    this.bytes += OBJECT_BYTES + view.byteLength
    // Buffers are often slices of one pool and copied by themselves
    if (!isBuffer(view)) this.#buffer(view.buffer)
    this.#builtIn(view, !types.isSharedArrayBuffer(view.buffer))
  }

  /** Two objects over the same memory would part company in a copy. */
  #buffer(buffer: ArrayBufferLike): void {
    if (this.#buffers.has(buffer)) this.#obstruct('opaque', 'two views of the same memory')
    this.#buffers.add(buffer)
  }

  #builtIn(object: object, isFaithful: boolean): void {
    const isExact = COPYABLE_PROTOTYPES.has(Object.getPrototypeOf(object))
    this.#obstruct(isExact && isFaithful ? 'copyable' : 'opaque', describe(object))
  }
}

/** Exactly an array; no subclass, which may have state of its own. */
export function isPlainArray(object: object): object is unknown[] {
  return Array.isArray(object) && Object.getPrototypeOf(object) === Array.prototype
}

/** Whether the elements from 0 on are all there is: keys come in order, indices before names. */
function isDense(array: readonly unknown[]): boolean {
  const { length } = array
  const keys = Reflect.ownKeys(array)
  if (keys.length !== length + 1 || keys[length] !== 'length') return false
  return length === 0 || keys[length - 1] === String(length - 1)
}

/** A plain object: with the ordinary prototype or none. */
export function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object)
  if (prototype === null) return !types.isModuleNamespaceObject(object)
  return prototype === Object.prototype
}

/** A built-in whose prototype was taken away looks plain, and its methods still change it. */
function isDisguised(object: object): boolean {
  return (
    types.isMap(object) ||
    types.isSet(object) ||
    types.isAnyArrayBuffer(object) ||
    types.isBoxedPrimitive(object) ||
    types.isPromise(object) ||
    types.isWeakMap(object) ||
    types.isWeakSet(object)
  )
}

function hasNoProperties(object: object): boolean {
  return Reflect.ownKeys(object).length === 0
}

/** By its class, with an article: "a Map", "an Account". */
export function describe(object: object): string {
  if (types.isModuleNamespaceObject(object)) return 'a module namespace'
  const prototype = Object.getPrototypeOf(object)
  const made = prototype && Reflect.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  const name = typeof made === 'function' && typeof made.name === 'string' ? made.name : ''
  if (name === '') return 'a class instance'
  if (name === 'Object' || name === 'Array') return `an ${name} of another realm`
  return /^[AEIOU]/.test(name) ? `an ${name}` : `a ${name}`
}

/** Built-ins whose copy is faithful; a subclass may hold more than a copy would carry over. */
const COPYABLE_PROTOTYPES: ReadonlySet<object> = new Set(
  [
    Map,
    Set,
    RegExp,
    ArrayBuffer,
    DataView,
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
  ]
    .map((builtIn): object => builtIn.prototype)
    .concat(BUFFER_PROTOTYPES),
)
