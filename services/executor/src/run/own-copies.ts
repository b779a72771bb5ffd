/**
 * What our code in a handler's thread needs of the language, as it was before any job module was loaded: handlers share the thread with
 * it, and may put something else in its place.
 */
const { bind, call } = Function.prototype

/** A method as a function of what it is called on. */
const uncurried: <T, A extends unknown[], R>(
  method: (this: T, ...args: A) => R,
) => (self: T, ...args: A) => R = bind.bind(call) as never

const mapGet = uncurried(Map.prototype.get)
const mapSet = uncurried(Map.prototype.set)
const mapSize = uncurried(
  Reflect.getOwnPropertyDescriptor(Map.prototype, 'size')?.get as (
    this: Map<unknown, unknown>,
  ) => number,
)
const mapValues = uncurried(Map.prototype.values)
const { from } = Array
const mapDelete = uncurried(Map.prototype.delete)

/** A map that is asked and filled by the methods of our own. */
export class OwnMap<K, V> {
  readonly #map: Map<K, V>

  constructor(entries: Iterable<readonly [K, V]> = []) {
    this.#map = new Map(entries)
  }

  get(key: K): V | undefined {
    return mapGet(this.#map, key) as V | undefined
  }

  set(key: K, value: V): void {
    mapSet(this.#map, key, value)
  }

  get size(): number {
    return mapSize(this.#map)
  }

  values(): V[] {
    return from(mapValues(this.#map)) as V[]
  }

  delete(key: K): boolean {
    return mapDelete(this.#map, key)
  }
}

export const OwnAbortController = AbortController
export const OwnError = Error
export const OwnPromise = Promise
export const parseJson = JSON.parse
export const now: () => number = performance.now.bind(performance)
