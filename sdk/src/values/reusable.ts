import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { rule, someText } from '../arguments/rules.ts'
import { NOTHING } from './components.ts'
import type { Entry } from './entry.ts'
import { FunctionCache } from './function-cache.ts'
import { policyFrom, type ReusableOptions } from './options.ts'
import { paramsToText } from './params-text.ts'
import type { RefreshScope } from './refresh.ts'
import type { FreezeMode } from './share.ts'
import type { SharedResult } from './shared-type.ts'
import type { ValuesStatistics } from './statistics.ts'
import { store as aStore, defaultValuesStore, openValuesStores, ValuesStore } from './store.ts'
import { noteTierSide } from './tier-side.ts'
import type { Branch } from './trie.ts'

type Slot = Entry | Branch<Entry>

/** A function whose results are remembered; R is what its callers get. Disposing of it drops them and frees its name. */
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
 * - The function gets no `this`. While it computes, neither it nor what it has started may call it
 *   with equal parameters: it would wait for itself, and the call fails with a ReusableCycleError.
 * - Wrap once, at the top of a module: a second function of the same name in a store is refused.
 *
 * Throws a TypeError for a function without a name or an option that is none, a RangeError for a
 * time that is none, an Error for a name taken.
 */
export function reusable<P extends readonly unknown[], R, F extends FreezeMode = 'deep'>(
  fn: (...params: P) => R,
  options: ReusableOptions<P, R, F> = {},
): Reusable<P, SharedResult<R, F>> {
  const policy = policyFrom(fn, options)
  const store = options.store ?? defaultValuesStore
  const untyped = fn as unknown as (...params: unknown[]) => unknown
  const cache = new FunctionCache(untyped, policy, store)
  store.register(cache)
  const name = cache.policy.name
  const members = {
    reusableName: name,
    refresh: () => store.refresh({ kind: 'function', name }),
    refreshFor: async (...params: P) => {
      const scope = scopeOfParams(name, params)
      if (scope !== undefined) await store.refresh(scope)
    },
    statistics: () => cache.statistics(),
    [Symbol.dispose]: () => store.unregister(cache),
  }
  const call = Object.assign(callerOf(cache, store), members)
  noteTierSide(call, {
    name,
    lifetime: policy.lifetime,
    hasTier: policy.tier !== undefined,
    held: (params) => cache.held(params),
    reach: (epoch) => store.reachRefreshes(epoch),
  })
  return call as unknown as Reusable<P, SharedResult<R, F>>
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

interface Target {
  readonly function?: unknown
  readonly params?: readonly unknown[]
  readonly tag?: string
}

const TARGET_RULES: Rules<Target> = {
  function: rule('a reusable function or its name', (value) => typeof nameOf(value) === 'string'),
  params: rule('an array', Array.isArray),
  tag: someText,
}

/**
 * Drops remembered values: all of them without a target (row C6), in every open store of the
 * process unless `store` names one. Here at once; the promise resolves when the stores' ports have
 * accepted it for other processes, and rejects with an AggregateError when one has not. Results
 * being computed meanwhile reach their callers but are not remembered. Rejects with a TypeError for
 * a target that is none, rather than drop nothing.
 */
export async function refreshReusableValues(
  target?: RefreshTarget,
  options: { readonly store?: ValuesStore } = {},
): Promise<void> {
  checkOptions('refreshReusableValues', options, { store: aStore })
  const stores = options.store === undefined ? openValuesStores() : [options.store]
  const scope = scopeOf(target)
  if (scope !== undefined) await ValuesStore.refresh(stores, scope)
}

/** Undefined where there is nothing to drop: no value has parameters that do not compare by content. */
export function scopeOf(target: RefreshTarget | undefined): RefreshScope | undefined {
  if (target === undefined) return { kind: 'all' }
  const given: Target = checkOptions('a refresh', target as Target, TARGET_RULES)
  if (given.tag !== undefined && given.function === undefined && given.params === undefined) {
    return { kind: 'tag', tag: given.tag }
  }
  if (given.tag !== undefined || given.function === undefined) {
    throw new TypeError('a refresh must be of everything, of a tag, or of a function and params')
  }
  const name = nameOf(given.function) as string
  if (given.params === undefined) return { kind: 'function', name }
  return scopeOfParams(name, given.params)
}

function scopeOfParams(name: string, given: readonly unknown[]): RefreshScope | undefined {
  const isSignalLast = given.at(-1) instanceof AbortSignal
  const params = paramsToText(isSignalLast ? given.slice(0, -1) : given)
  return params === undefined ? undefined : { kind: 'params', name, params }
}

function nameOf(target: unknown): unknown {
  const hasName = typeof target === 'function' || (typeof target === 'object' && target !== null)
  return hasName ? Reflect.get(target, 'reusableName') : target
}
