/**
 * The same work for each library, in the way its documentation recommends: a capacity above what is
 * asked for, a time to live of 20 minutes where it keeps one, no serialisation where that can be
 * switched off.
 */
import { createValuesStore, reusable, type UnfreezableRule } from '@offstage/sdk/values'
import { createCache } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { LRUCache } from 'lru-cache'

export const CAPACITY = 2_000_000
const TTL_S = 20 * 60

export interface Value {
  readonly id: number
}

/** A flat structure as a parameter. */
export interface Filter {
  readonly customer: string
  readonly year: number
  readonly open: boolean
  readonly region: string
}

export const newLru = () => new LRUCache<string | number, Value>({ max: CAPACITY })

const store = () => createValuesStore({ bytesMax: 2 * 1024 ** 3 })

/** Takes parameters as they are. `compute` may return a promise. */
export function newReusable<R>(
  compute: (...params: readonly unknown[]) => R,
  unfreezable: UnfreezableRule = 'error',
) {
  return reusable(compute, { name: 'value', store: store(), unfreezable })
}

/** Takes one parameter, of which it makes a text. */
export function newDedupe(compute: (params: unknown) => Promise<Value>) {
  const storage = { type: 'memory', options: { size: CAPACITY } } as const
  const cache = createCache({ ttl: TTL_S, storage }).define('value', compute)
  return (params: unknown): Promise<Value> => cache.value(params)
}

/** Takes a text; making it of the parameters is the caller's part. */
export function newBento() {
  const driver = memoryDriver({ maxItems: CAPACITY, serialize: false })
  const cache = new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(driver) },
  })
  return (key: string, factory: () => Promise<Value>): Promise<Value> =>
    cache.getOrSet({ key, factory, ttl: `${TTL_S}s` })
}
