/**
 * A deep copy of values that `inspectValue` found copyable. Not `structuredClone`: that turns a
 * Buffer into a Uint8Array, and drops prototypes in silence where this one must never meet them.
 */

import { isPlain } from './inspect.ts'
import { copyBuffer } from './runtime.ts'

/** Shared and circular parts stay so in the copy. Nothing in the copy is frozen. */
export function copyValue(value: unknown): unknown {
  const copies = new Map<object, object>()
  const copyOf = (part: unknown): unknown => {
    if (typeof part !== 'object' || part === null) return part
    let copy = copies.get(part)
    if (copy === undefined) {
      copy = emptyCopy(part)
      copies.set(part, copy)
    }
    return copy
  }
  const copy = copyOf(value)
  // Grows while it is iterated: however deep the value is, the stack stays flat.
  for (const [original, ofOriginal] of copies) fill(ofOriginal, original, copyOf)
  return copy
}

function fill(copy: object, original: object, copyOf: (part: unknown) => unknown): void {
  if (original instanceof Map) {
    const map = copy as Map<unknown, unknown>
    for (const [key, item] of original) map.set(copyOf(key), copyOf(item))
  } else if (original instanceof Set) {
    for (const item of original) (copy as Set<unknown>).add(copyOf(item))
  } else if (Array.isArray(original) || isPlain(original)) {
    for (const key of Reflect.ownKeys(original)) {
      if (Array.isArray(original) && key === 'length') continue
      const value = copyOf(Reflect.get(original, key))
      const enumerable = Object.prototype.propertyIsEnumerable.call(original, key)
      const property = { value, enumerable, writable: true, configurable: true }
      Object.defineProperty(copy, key, property)
    }
  }
}

/** The copy before its contents; complete already for what holds no other objects. */
function emptyCopy(value: object): object {
  if (value instanceof Map) return new Map()
  if (value instanceof Set) return new Set()
  if (value instanceof Date) return new Date(value.getTime())
  if (value instanceof RegExp) return copyRegExp(value)
  const buffer = copyBuffer(value)
  if (buffer !== undefined) return buffer
  if (value instanceof ArrayBuffer) return value.slice(0)
  if (value instanceof DataView) {
    return new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength))
  }
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice()
  if (Array.isArray(value)) return new Array(value.length)
  return Object.create(Object.getPrototypeOf(value))
}

function copyRegExp(value: RegExp): RegExp {
  const copy = new RegExp(value.source, value.flags)
  copy.lastIndex = value.lastIndex
  return copy
}
