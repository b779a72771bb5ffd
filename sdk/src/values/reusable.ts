import { NOTHING } from './components.ts'
import type { Entry } from './entry.ts'
import { FunctionCache } from './function-cache.ts'
import { policyFrom, type ReusableOptions } from './options.ts'
import { paramsToText } from './params-text.ts'
import type { ValuesStatistics } from './statistics.ts'
import { defaultValuesStore, type ValuesStore } from './store.ts'
import type { Branch } from './trie.ts'

type Slot = Entry | Branch<Entry>

/** A function whose results are remembered. Disposing of it drops them and frees its name. */
export interface Reusable<P extends readonly unknown[], R> extends Disposable {
  (...params: P): R
  /** Its name in statistics, metrics and refreshes. */
  readonly reusableName: string
  /**
   * Drops all of its values, here and through the store's ports (row C6). Rejects as
   * `refreshReusableValues` does.
   */
  refresh(): Promise<void>
  /** Drops the value for these parameters, of every session and user (row C6). */
  refreshFor(...params: P): Promise<void>
  /** What it has done so far (row C7). */
  statistics(): ValuesStatistics
}

/**
 * Wraps a function so that calls with equal parameters return the remembered result (rows C1 to
 * C7).
 *
 * - Parameters compare by content: undefined, null, booleans, numbers, bigints, strings, Dates,
 *   references and flat structures of these, up to 100 of them (row C2). The function gets copies
 *   of structures and Dates, a structure's properties in alphabetical order, so that what a caller
 *   changes later changes no value. With any other parameter, or outside of its scope, the function
 *   runs on what it is given, and the result is neither remembered, frozen nor checked.
 * - An AbortSignal as the last parameter is not compared. The function gets a signal in its place
 *   that aborts once every caller waiting for this computation has aborted (row C7). A call with a
 *   signal that has fired starts nothing: it rejects, or throws where the function has been seen to
 *   return something other than a promise.
 * - Synchronous functions return the value, asynchronous ones a promise. Errors and `undefined` are
 *   not remembered; `null` is (row C5). The value is frozen deeply unless `freeze` says otherwise.
 * - A value to be remembered that cannot be frozen, with a Map, a buffer or a class instance inside,
 *   fails the call with a TypeError unless `unfreezable` or `freeze` says otherwise (row C5).
 * - The function gets no `this`. It must not wait for a call of itself with equal parameters.
 * - Wrap once, at the top of a module: a second function of the same name in a store is refused.
 *
 * Throws a TypeError for a function without a name, a RangeError for a time that is none, an Error
 * for a name taken.
 */
export function reusable<P extends readonly unknown[], R>(
  fn: (...params: P) => R,
  options: ReusableOptions<P, R> = {},
): Reusable<P, R> {
  const store = options.store ?? defaultValuesStore
  const untyped = fn as unknown as (...params: unknown[]) => unknown
  const cache = new FunctionCache(untyped, policyFrom(fn, options), store)
  store.register(cache)
  const name = cache.policy.name
  const members = {
    reusableName: name,
    refresh: () => store.refresh({ kind: 'function', name }),
    refreshFor: (...params: P) => refreshParams(store, name, params),
    statistics: () => cache.statistics(),
    [Symbol.dispose]: () => store.unregister(cache),
  }
  return Object.assign(callerOf(cache, store), members) as unknown as Reusable<P, R>
}

/**
 * The function people call. Calls with up to two scalar parameters that find a value seen fresh in
 * this tick before, or a computation to wait for, are answered here; everything else goes the long
 * way. No marker of components.ts can be given as a parameter, so what is found under a parameter
 * is its entry; 0 and -0, which a Map does not tell apart, take the long way.
 */
function callerOf(cache: FunctionCache, store: ValuesStore) {
  const answer = (...params: unknown[]) => cache.call(params)
  return function call(this: unknown, a?: unknown, b?: unknown): unknown {
    // biome-ignore lint/complexity/noArguments: a rest parameter would allocate a list on every hit
    const given = arguments
    let slot: Slot | undefined
    if (given.length < 2 && a !== 0) {
      slot = cache.table()?.ones.root.get(given.length === 0 ? NOTHING : (a as string))
    } else if (given.length === 2 && a !== 0 && b !== 0) {
      slot = cache.table()?.twos.root.get(a as string)
      if (slot?.isBranch) slot = slot.children.get(b as string)
      else if (slot !== undefined && !Object.is(slot.rest[0], b)) slot = undefined
    }
    if (slot !== undefined && !slot.isBranch) {
      if (slot.freshAt === store.now) return cache.hit(slot)
      if (slot.state === 'pending' && slot.flight !== undefined) return cache.join(slot.flight)
    }
    return answer.apply(undefined, given as unknown as unknown[])
  }
}

/**
 * What to refresh (row C6): everything, a function, a function's value for some parameters, or a
 * tag.
 */
export type RefreshTarget =
  | {
      readonly function: string | { readonly reusableName: string }
      readonly params?: readonly unknown[]
    }
  | { readonly tag: string }

/**
 * Drops remembered values: all of them without a target (row C6). Here at once; the promise
 * resolves when the store's ports have accepted it for other processes, and rejects with an
 * AggregateError when one has not. Results being computed meanwhile reach their callers but are not
 * remembered.
 */
export function refreshReusableValues(
  target?: RefreshTarget,
  options: { readonly store?: ValuesStore } = {},
): Promise<void> {
  const store = options.store ?? defaultValuesStore
  if (target === undefined) return store.refresh({ kind: 'all' })
  if ('tag' in target) return store.refresh({ kind: 'tag', tag: target.tag })
  const name = typeof target.function === 'string' ? target.function : target.function.reusableName
  return target.params === undefined
    ? store.refresh({ kind: 'function', name })
    : refreshParams(store, name, target.params)
}

/** Parameters that do not compare by content have no value to drop; a signal is none. */
async function refreshParams(store: ValuesStore, name: string, params: readonly unknown[]) {
  const isSignalLast = params.at(-1) instanceof AbortSignal
  const text = paramsToText(isSignalLast ? params.slice(0, -1) : params)
  if (text !== undefined) await store.refresh({ kind: 'params', name, params: text })
}
