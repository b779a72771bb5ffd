/**
 * A deep copy of values that `inspectValue` found copyable. Not `structuredClone`: that turns a
 * Buffer into a Uint8Array, and drops prototypes in silence where this one must never meet them.
 */
import { isPlain } from './inspect.ts'

/** Shared and circular parts stay so in the copy. Nothing in the copy is frozen. */
export function copyValue(value: unknown, copies = new Map<object, object>()): unknown {
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  const copy = emptyCopy(value)
  copies.set(value, copy)
  if (value instanceof Map) {
    for (const [key, item] of value) {
      ;(copy as Map<unknown, unknown>).set(copyValue(key, copies), copyValue(item, copies))
    }
  } else if (value instanceof Set) {
    for (const item of value) (copy as Set<unknown>).add(copyValue(item, copies))
  } else if (Array.isArray(value) || isPlain(value)) {
    for (const key of Reflect.ownKeys(value)) {
      if (Array.isArray(value) && key === 'length') continue
      const item = copyValue(Reflect.get(value, key), copies)
      const enumerable = Object.prototype.propertyIsEnumerable.call(value, key)
      Object.defineProperty(copy, key, {
        value: item,
        enumerable,
        writable: true,
        configurable: true,
      })
    }
  }
  return copy
}

/** The copy before its contents; complete already for what holds no other objects. */
function emptyCopy(value: object): object {
  if (value instanceof Map) return new Map()
  if (value instanceof Set) return new Set()
  if (value instanceof Date) return new Date(value.getTime())
  if (value instanceof RegExp) return copyRegExp(value)
  if (Buffer.isBuffer(value)) return Buffer.from(value)
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
