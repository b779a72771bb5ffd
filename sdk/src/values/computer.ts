/**
 * Runs a reusable function for parameters that are not remembered.
 *
 * How it works: the function is started; a synchronous result goes to the keeper (keeper.ts) at
 * once, which shares and holds it. A promise becomes a flight on an entry, where equal calls find
 * it, and the result goes to the keeper when it lands.
 *
 * Invariants:
 * 1. Per table and parameters at most one flight is joined at a time.
 * 2. A result is remembered only if nothing since the computation began may have outdated it: the
 *    flight is not detached, `#epoch` is what it was while the function ran synchronously,
 *    partition, function and store are open.
 * 3. An old value answers a failure only while `staleIfErrorMs` lasts, as of the failure.
 */

import { appendParameter, type Component } from './components.ts'
import { Computing } from './computing.ts'
import { copyValue } from './copy.ts'
import { Entry, outputOf } from './entry.ts'
import { Flight, type Outcome } from './flight.ts'
import type { Holdings } from './holdings.ts'
import { type Computation, type Demand, Keeper } from './keeper.ts'
import type { CachePolicy } from './options.ts'
import { paramsToText } from './params-text.ts'
import type { Table } from './partition.ts'
import { types } from './runtime.ts'
import type { Counters } from './statistics.ts'
import type { ValuesStore } from './store.ts'
import { isThenable } from './thenable.ts'
import { TierRequest } from './tier-call.ts'

/** Every so many misses the time of a lookup is measured. */
const LOOKUP_SAMPLE_EVERY = 256
const LOOKUP_SAMPLE_REPEATS = 16

/** The user's function, its types known to its callers only. */
export type Fn = (...params: unknown[]) => unknown

export class Computer {
  /** Cleared when the function is disposed of: it runs on and remembers nothing. */
  isOpen = true
  /** Whether the function was last seen to return something other than a promise. */
  isSync = false
  /** Whether callers expect a promise of it, for refusals too. */
  #isAsync: boolean
  readonly #fn: Fn
  readonly #policy: CachePolicy
  readonly #store: ValuesStore
  readonly #counters: Counters
  readonly #holdings: Holdings
  readonly #keeper: Keeper
  readonly #isAlwaysShareable: boolean
  #epoch = 0

  constructor(
    fn: Fn,
    policy: CachePolicy,
    store: ValuesStore,
    counters: Counters,
    holdings: Holdings,
  ) {
    this.#fn = fn
    this.#isAsync = types.isAsyncFunction(fn)
    this.#policy = policy
    this.#store = store
    this.#counters = counters
    this.#holdings = holdings
    this.#keeper = new Keeper(policy, store, counters, holdings)
    this.#isAlwaysShareable = policy.freeze === 'none' || policy.unfreezable === 'error'
  }

  /** Results being computed by synchronous code right now will not be remembered. */
  outdate(): void {
    this.#epoch++
  }

  /**
   * The result for the caller that starts the computation; errors are the function's own. A call made from the
   * synchronous part of its own computation is refused, by a promise where the function returns promises.
   */
  compute(demand: Demand): unknown {
    const cycle = Computing.findSelf(demand.key)
    if (cycle !== undefined && this.#isAsync) return Promise.reject(cycle)
    if (cycle !== undefined) throw cycle
    const { table, params, signal, fallback } = demand
    if (this.#counters.misses++ % LOOKUP_SAMPLE_EVERY === 0) this.#sampleLookup(table, params)
    const computation = this.#begin(demand, true)
    try {
      const result = this.#run(computation)
      if (isThenable(result)) return this.#depart(computation, result).join(readAsFirst, signal)
      computation.computing.end()
      return this.#keeper.keep(computation, undefined, result, this.#isCurrent(computation)).value
    } catch (error) {
      computation.computing.end()
      this.#counters.failures++
      if (!this.#canFallBackTo(fallback)) throw error
      this.#counters.fallbacks++
      return outputOf(fallback)
    }
  }

  /** Computes behind, for nobody in particular: a failure is counted, and the old value stays. */
  revalidate(demand: Demand): void {
    if (Computing.findSelf(demand.key) !== undefined) return // it is about to
    this.#counters.revalidations++
    const computation = this.#begin(demand, false)
    try {
      const result = this.#run(computation)
      if (isThenable(result)) this.#depart(computation, result).outcome.catch(() => {})
      else {
        computation.computing.end()
        this.#keeper.keep(computation, undefined, result, this.#isCurrent(computation))
      }
    } catch {
      computation.computing.end()
      this.#counters.failures++
    }
  }

  #begin(demand: Demand, isAwaited: boolean): Computation {
    const { name, tier } = this.#policy
    const controller = demand.signal && new AbortController()
    const request =
      tier &&
      new TierRequest(
        tier,
        {
          name,
          params: paramsToText(demand.params) ?? '[]',
          user: demand.table.partition.identity.user,
          privileged: demand.table.partition.identity.privileged,
          signal: controller?.signal,
          waiters: () => computing.waitingOutside(),
        },
        () => this.#counters.tierFailures++,
      )
    const startedMs = this.#store.readClock()
    const cycleElsewhere = request && (() => request.cycle())
    const { key, params } = demand
    const computing = new Computing(name, key, params, isAwaited, cycleElsewhere)
    return { ...demand, computing, controller, startedMs, epoch: this.#epoch, request }
  }

  #run({ computing, params, controller, request }: Computation): unknown {
    const args = controller === undefined ? params : [...params, controller.signal]
    const fn = request ? () => request.fetch(() => this.#fn(...args)) : this.#fn
    const result = computing.run(fn, args, this.isSync)
    this.isSync = !isThenable(result)
    this.#isAsync ||= !this.isSync
    return result
  }

  /** Invariant 3. */
  #canFallBackTo(entry: Entry | undefined): entry is Entry {
    if (entry?.state !== 'held') return false
    this.#store.readClock()
    return this.#store.now - entry.computedAt < this.#policy.fallbackTicks
  }

  /** Gives an asynchronous computation its place, where others find it. */
  #depart(computation: Computation, result: PromiseLike<unknown>): Flight {
    const { table, key, fallback, computing, controller } = computation
    const flight = new Flight(computing, controller, this.#isAlwaysShareable)
    let entry: Entry | undefined
    if (!this.#isCurrent(computation)) {
      flight.isDetached = true
    } else if (fallback?.state === 'held') {
      entry = fallback
      if (entry.flight !== undefined) entry.flight.isDetached = true // invariant 1
    } else {
      this.#keeper.vacate(key)
      entry = new Entry(key, table)
      table.insert(entry)
    }
    if (entry !== undefined) {
      entry.flight = flight
      this.#holdings.flying.add(entry)
    }
    flight.readAsGuest = this.#guestReader(computation)
    flight.onAbandoned = () => {
      flight.isDetached = true
      computing.end()
      this.#counters.aborted++
      if (entry !== undefined) this.#arrive(entry, flight)
    }
    flight.outcome = this.#land(computation, flight, entry, result)
    return flight
  }

  async #land(
    computation: Computation,
    flight: Flight,
    entry: Entry | undefined,
    result: PromiseLike<unknown>,
  ): Promise<Outcome> {
    try {
      const value = await result
      if (flight.isAbandoned) return { value, isShareable: true }
      return this.#keeper.keep(computation, entry, value, !flight.isDetached)
    } catch (error) {
      const { fallback } = computation
      if (flight.isAbandoned) throw error
      this.#counters.failures++
      if (!this.#canFallBackTo(fallback)) throw error
      this.#counters.fallbacks++
      const value = await outputOf(fallback)
      return fallback.isCopied
        ? { value, isShareable: true, original: { value: fallback.output } }
        : { value, isShareable: true }
    } finally {
      flight.hasLanded = true
      computation.computing.end()
      if (entry !== undefined) this.#arrive(entry, flight)
    }
  }

  /** Ends a flight's hold on its entry; one that got no value leaves the table. */
  #arrive(entry: Entry, flight: Flight): void {
    if (entry.flight !== flight) return
    entry.flight = undefined
    this.#holdings.flying.delete(entry)
    if (entry.state === 'pending') this.#holdings.drop(entry, 'replaced')
  }

  /**
   * For callers who wait for this computation without having started it; their parameters equal its
   * own.
   */
  #guestReader({ params }: Computation) {
    return (outcome: Outcome, signal?: AbortSignal): unknown => {
      if (outcome.original !== undefined) return copyValue(outcome.original.value)
      if (outcome.isShareable) return outcome.value
      return this.#computeForOne(params, signal)
    }
  }

  /** A computation whose result goes to its caller as it is: the rule is `bypass`. */
  async #computeForOne(
    params: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    this.#counters.joins--
    this.#counters.misses++
    this.#counters.refused++
    const startedMs = this.#store.readClock()
    try {
      return await this.#fn(...params, ...(signal === undefined ? [] : [signal]))
    } catch (error) {
      this.#counters.failures++
      throw error
    } finally {
      this.#counters.computeMs += this.#store.readClock() - startedMs
    }
  }

  #isCurrent({ table, epoch }: Computation): boolean {
    const isOpen = this.isOpen && this.#store.isOpen
    return isOpen && epoch === this.#epoch && !table.partition.closed
  }

  #sampleLookup(table: Table, params: readonly unknown[]): void {
    const startedMs = this.#store.readClock()
    for (let i = 0; i < LOOKUP_SAMPLE_REPEATS; i++) {
      const components: Component[] = []
      const trie = table.trieFor(params.length, components)
      for (const param of params) appendParameter(components, param)
      trie.find(components)
    }
    this.#counters.lookupMs = (this.#store.readClock() - startedMs) / LOOKUP_SAMPLE_REPEATS
  }
}

const readAsFirst = ({ value }: Outcome): unknown => value
