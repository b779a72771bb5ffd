/**
 * Runs a reusable function for parameters that are not remembered, and decides what becomes of the
 * result.
 *
 * How it works: the function is started; a synchronous result is shared and held at once. A promise
 * becomes a flight on an entry, where equal calls find it, and the result is shared and held when
 * it lands.
 *
 * Invariants:
 * 1. Per table and parameters at most one flight is joined at a time.
 * 2. A result is remembered only if nothing since the computation began may have outdated it: the
 *    flight is not detached, `#epoch` is what it was while the function ran synchronously,
 *    partition, function and store are open.
 * 3. A value reaches a second caller only frozen or as a copy (share.ts).
 */
import { appendParameter, type Component } from './components.ts'
import { copyValue } from './copy.ts'
import { Entry, type Key, outputOf } from './entry.ts'
import { Flight, type Outcome } from './flight.ts'
import type { Holdings } from './holdings.ts'
import { scalarBytes } from './inspect.ts'
import type { CachePolicy } from './options.ts'
import type { Table } from './partition.ts'
import { shareValue } from './share.ts'
import type { Counters } from './statistics.ts'
import type { ValuesStore } from './store.ts'
import { isThenable } from './thenable.ts'
import { TICK_MS } from './ticks.ts'
import { askTier, type Origin } from './tier-call.ts'

/**
 * What an entry costs beside its key and value: the entry, its places in the trie and in lru-cache.
 */
const ENTRY_BYTES = 300
/** Every so many misses the time of a lookup is measured. */
const LOOKUP_SAMPLE_EVERY = 256
const LOOKUP_SAMPLE_REPEATS = 16

/** The user's function, its types known to its callers only. */
export type Fn = (...params: unknown[]) => unknown

/** One run of the function, from its start to the decision whether to remember. */
interface Computation {
  readonly table: Table
  readonly key: Key
  readonly params: readonly unknown[]
  /** Tells the function to stop; absent when the first caller gave no signal. */
  readonly controller: AbortController | undefined
  /** Held, too old, but good enough if the computation fails. */
  readonly fallback: Entry | undefined
  readonly startedMs: number
  readonly epoch: number
  /** Present with a tier. */
  readonly origin: Origin | undefined
}

export class Computer {
  /** Cleared when the function is disposed of: it runs on and remembers nothing. */
  isOpen = true
  readonly #fn: Fn
  readonly #policy: CachePolicy
  readonly #store: ValuesStore
  readonly #counters: Counters
  readonly #holdings: Holdings
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
    this.#policy = policy
    this.#store = store
    this.#counters = counters
    this.#holdings = holdings
    this.#isAlwaysShareable = policy.freeze === 'none' || policy.unfreezable === 'error'
  }

  /** Results being computed by synchronous code right now will not be remembered. */
  outdate(): void {
    this.#epoch++
  }

  /** The result for the caller that starts the computation; errors are the function's own. */
  compute(
    table: Table,
    key: Key,
    params: readonly unknown[],
    signal: AbortSignal | undefined,
    fallback: Entry | undefined,
  ): unknown {
    const startedMs = this.#store.readClock()
    if (this.#counters.misses++ % LOOKUP_SAMPLE_EVERY === 0) this.#sampleLookup(table, params)
    const controller = signal && new AbortController()
    const origin: Origin | undefined = this.#policy.tier && { ageMs: 0, tags: undefined }
    const epoch = this.#epoch
    const computation = { table, key, params, controller, fallback, startedMs, epoch, origin }
    try {
      const result = this.#run(computation)
      if (isThenable(result)) return this.#depart(computation, result).join(readAsFirst, signal)
      return this.#finish(computation, undefined, result, this.#isCurrent(computation)).value
    } catch (error) {
      this.#counters.failures++
      if (fallback?.state !== 'held') throw error
      return this.#fallBackTo(fallback)
    }
  }

  #run({ params, controller, table, origin }: Computation): unknown {
    const args = controller === undefined ? params : [...params, controller.signal]
    if (this.#policy.tier === undefined || origin === undefined) return this.#fn(...args)
    const { name } = this.#policy
    return askTier(this.#policy.tier, {
      name,
      params,
      identity: table.partition.identity,
      signal: controller?.signal,
      origin,
      compute: () => this.#fn(...args),
      tagsOf: (value) => this.#policy.tags?.(value, ...params) ?? [],
      onFailure: () => this.#counters.tierFailures++,
    })
  }

  #fallBackTo(entry: Entry): unknown {
    this.#counters.staleHits++
    this.#counters.countHit(entry)
    return outputOf(entry)
  }

  /** Gives an asynchronous computation its place, where others find it. */
  #depart(computation: Computation, result: PromiseLike<unknown>): Flight {
    const { table, key, fallback, controller } = computation
    const flight = new Flight(controller, this.#isAlwaysShareable)
    let entry: Entry | undefined
    if (!this.#isCurrent(computation)) {
      flight.isDetached = true
    } else if (fallback?.state === 'held') {
      entry = fallback
    } else {
      this.#vacate(key)
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
      return this.#finish(computation, entry, value, !flight.isDetached)
    } catch (error) {
      if (!flight.controller?.signal.aborted) this.#counters.failures++
      const { fallback } = computation
      if (fallback?.state !== 'held') throw error
      const value = await this.#fallBackTo(fallback)
      return fallback.isCopied
        ? { value, isShareable: true, original: { value: fallback.output } }
        : { value, isShareable: true }
    } finally {
      flight.hasLanded = true
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
      return this.#fn(...params, ...(signal === undefined ? [] : [signal])) // invariant 3
    }
  }

  #isCurrent({ table, epoch }: Computation): boolean {
    const isOpen = this.isOpen && this.#store.isOpen
    return isOpen && epoch === this.#epoch && !table.partition.closed
  }

  /** Shares a computed value and remembers it if that may be (rows C3, C5). */
  #finish(
    computation: Computation,
    pending: Entry | undefined,
    value: unknown,
    isCurrent: boolean,
  ): Outcome {
    const counters = this.#counters
    const policy = this.#policy
    const computeMs = this.#store.readClock() - computation.startedMs
    counters.computeMs += computeMs
    if (value === undefined) {
      counters.voids++
      return { value, isShareable: true }
    }
    const sharing = shareValue(value, policy.freeze, policy.unfreezable)
    if (sharing.kind === 'refused') {
      counters.refused++
      if (policy.unfreezable === 'bypass') return { value, isShareable: false }
      throw new TypeError(
        `The value of ${policy.name} cannot be frozen: it ${sharing.why}. ${sharing.remedy}`,
      )
    }
    const kept = sharing.kind === 'copied' ? sharing.original : value
    const outcome: Outcome =
      sharing.kind === 'copied'
        ? { value, isShareable: true, original: { value: kept } }
        : { value, isShareable: true }
    const { key, origin, params } = computation
    const bytes = ENTRY_BYTES + bytesOfKey(key) + (policy.bytesOf?.(value) ?? sharing.bytes)
    const tags = origin?.tags ?? policy.tags?.(value, ...params) ?? []
    if (!isCurrent) counters.outdated++
    else if (bytes > this.#store.bytesMax) counters.tooLarge++
    else {
      const entry = this.#placeFor(computation, pending)
      entry.isAsync = pending !== undefined
      entry.isCopied = sharing.kind === 'copied'
      entry.output = entry.isAsync && !entry.isCopied ? Promise.resolve(kept) : kept
      entry.computeMs = computeMs
      entry.bytes = bytes
      const ageMs = Math.max(0, origin?.ageMs ?? 0)
      entry.computedAt = this.#store.now - Math.floor(ageMs / TICK_MS)
      if (tags.length > 0) entry.tags = tags
      this.#holdings.hold(entry)
    }
    return outcome
  }

  /** The pending entry of the computation itself, or a new one in place of the old. */
  #placeFor({ key, table }: Computation, pending: Entry | undefined): Entry {
    if (pending?.state === 'pending') return pending
    this.#vacate(key)
    const entry = new Entry(key, table)
    table.insert(entry)
    return entry
  }

  #vacate(key: Key): void {
    const present = key.trie.at(key)
    if (present !== undefined) this.#holdings.drop(present, 'replaced')
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

function bytesOfKey({ first, rest }: Key): number {
  let bytes = scalarBytes(first)
  if (rest.length > 0) bytes += 16 + 8 * rest.length
  for (const component of rest) bytes += scalarBytes(component)
  return bytes
}
