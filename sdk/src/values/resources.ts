/**
 * Things inside of a value that somebody has to close: what has a dispose of its own, streams, sockets and files among them, and
 * what is read or written to as one. A session ends with none of them, so no value of a session holds one.
 */
import { types } from './runtime.ts'

/** Deeper or larger values are not looked through further for the place. */
const LOOKED_AT_MAX = 100_000

/** The first one among the objects; undefined where there is none. */
export function findResource(objects: readonly object[]): object | undefined {
  for (const object of objects) if (isResource(object)) return object
  return undefined
}

function isResource(object: object): boolean {
  if (types.isProxy(object) || Array.isArray(object)) return false
  return (
    has(object, Symbol.dispose) ||
    has(object, Symbol.asyncDispose) ||
    has(object, 'getReader') ||
    has(object, 'getWriter') ||
    (has(object, 'pipe') && has(object, 'on'))
  )
}

function has(object: object, method: PropertyKey): boolean {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at)) {
    const property = Reflect.getOwnPropertyDescriptor(at, method)
    if (property !== undefined) return typeof property.value === 'function'
  }
  return false
}

/** Where in a value an object is: `.connection.socket`; empty for the value itself, or where it is not found. */
export function placeOf(value: unknown, object: object): string {
  const places: [object, string][] = []
  const seen = new Set<object>()
  const visit = (at: unknown, place: string): boolean => {
    if (at === object) return true
    if (typeof at === 'object' && at !== null && !seen.has(at)) {
      seen.add(at)
      places.push([at, place])
    }
    return false
  }
  if (visit(value, '')) return ''
  for (const [at, place] of places) {
    if (seen.size > LOOKED_AT_MAX) return ''
    for (const [key, inside] of partsOf(at)) {
      const inner = `${place}${key}`
      if (visit(inside, inner)) return inner
    }
  }
  return ''
}

function* partsOf(object: object): Generator<[string, unknown]> {
  if (types.isMap(object))
    for (const [key, inside] of object) yield [`.get(${String(key)})`, inside]
  else if (types.isSet(object)) for (const inside of object) yield ['.keys()', inside]
  for (const key of Reflect.ownKeys(object)) {
    const property = Reflect.getOwnPropertyDescriptor(object, key)
    if (property !== undefined && 'value' in property) yield [shownKey(key), property.value]
  }
}

function shownKey(key: PropertyKey): string {
  const isIndex = typeof key === 'string' && /^\d+$/.test(key)
  return typeof key === 'symbol' || isIndex ? `[${String(key)}]` : `.${key}`
}
