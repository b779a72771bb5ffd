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
 * 3. A value reaches a second caller only as the rule in force allows (share.ts): frozen, copied,
 *    or as it is where the user asked for that.
 * 4. An old value answers a failure only while `staleIfErrorMs` lasts, as of the failure.
 */
import { appendParameter, type Component } from './components.ts'
import { copyValue } from './copy.ts'
import { Entry, type Key, outputOf } from './entry.ts'
import { Flight, type Outcome } from './flight.ts'
import type { Holdings } from './holdings.ts'
import { scalarBytes, stringBytes } from './inspect.ts'
import type { CachePolicy } from './options.ts'
import { paramsToText } from './params-text.ts'
import type { Table } from './partition.ts'
import { shareValue } from './share.ts'
import type { Counters } from './statistics.ts'
import type { ValuesStore } from './store.ts'
import { isThenable } from './thenable.ts'
import { TICK_MS } from './ticks.ts'
import { TierRequest } from './tier-call.ts'

/** What a tag of an entry costs: its places in the entry and in the index. */
const TAG_BYTES = 100
/** Every so many misses the time of a lookup is measured. */
const LOOKUP_SAMPLE_EVERY = 256
const LOOKUP_SAMPLE_REPEATS = 16

/** The user's function, its types known to its callers only. */
export type Fn = (...params: unknown[]) => unknown

/** What is to be computed, and where it belongs. */
export interface Demand {
  readonly table: Table
  readonly key: Key
  /** Nobody else's, so that they stay what the key says (components.ts). */
  readonly params: readonly unknown[]
  readonly signal: AbortSignal | undefined
  /** Held, too old, but good enough if the computation fails soon. */
  readonly fallback: Entry | undefined
}

/** One run of the function, from its start to the decision whether to remember. */
interface Computation extends Demand {
  /** Tells the function to stop; absent when the first caller gave no signal. */
  readonly controller: AbortController | undefined
  readonly startedMs: number
  readonly epoch: number
  /** Present with a tier. */
  readonly request: TierRequest | undefined
}

export class Computer {
  /** Cleared when the function is disposed of: it runs on and remembers nothing. */
  isOpen = true
  /** Whether the function was last seen to return something other than a promise. */
  isSync = false
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
  compute(demand: Demand): unknown {
    const { table, params, signal, fallback } = demand
    if (this.#counters.misses++ % LOOKUP_SAMPLE_EVERY === 0) this.#sampleLookup(table, params)
    const computation = this.#begin(demand)
    try {
      const result = this.#run(computation)
      if (isThenable(result)) return this.#depart(computation, result).join(readAsFirst, signal)
      return this.#finish(computation, undefined, result, this.#isCurrent(computation)).value
    } catch (error) {
      this.#counters.failures++
      if (!this.#canFallBackTo(fallback)) throw error
      this.#counters.fallbacks++
      return outputOf(fallback)
    }
  }

  /** Computes behind, for nobody in particular: a failure is counted, and the old value stays. */
  revalidate(demand: Demand): void {
    this.#counters.revalidations++
    const computation = this.#begin(demand)
    try {
      const result = this.#run(computation)
      if (isThenable(result)) this.#depart(computation, result).outcome.catch(() => {})
      else this.#finish(computation, undefined, result, this.#isCurrent(computation))
    } catch {
      this.#counters.failures++
    }
  }

  #begin(demand: Demand): Computation {
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
        },
        () => this.#counters.tierFailures++,
      )
    const startedMs = this.#store.readClock()
    return { ...demand, controller, startedMs, epoch: this.#epoch, request }
  }

  #run({ params, controller, request }: Computation): unknown {
    const args = controller === undefined ? params : [...params, controller.signal]
    const result = request ? request.fetch(() => this.#fn(...args)) : this.#fn(...args)
    this.isSync = !isThenable(result)
    return result
  }

  /** Invariant 4. */
  #canFallBackTo(entry: Entry | undefined): entry is Entry {
    if (entry?.state !== 'held') return false
    this.#store.readClock()
    return this.#store.now - entry.computedAt < this.#policy.fallbackTicks
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
      if (entry.flight !== undefined) entry.flight.isDetached = true // invariant 1
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
      if (flight.isAbandoned) return { value, isShareable: true }
      return this.#finish(computation, entry, value, !flight.isDetached)
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
    const isCopied = sharing.kind === 'copied'
    const kept = isCopied ? sharing.original : value
    const { key, request } = computation
    const tags = this.#tagsOf(computation, value)
    const bytes = bytesOfKey(key) + this.#bytesOf(value, sharing.bytes) + bytesOfTags(tags)
    if (isCurrent) {
      const entry = this.#placeFor(computation, pending)
      entry.isAsync = pending !== undefined
      entry.isCopied = isCopied
      entry.output = entry.isAsync && !isCopied ? Promise.resolve(kept) : kept
      entry.computeMs = computeMs
      entry.bytes += bytes
      entry.computedAt = this.#store.now - Math.floor(ageMsOf(request) / TICK_MS)
      if (tags.length > 0) entry.tags = tags
      this.#remember(entry)
      if (request !== undefined && request.answer === undefined) void request.offer(kept, tags)
    } else counters.outdated++
    return isCopied
      ? { value, isShareable: true, original: { value: kept } }
      : { value, isShareable: true }
  }

  #remember(entry: Entry): void {
    if (entry.bytes <= this.#store.bytesMax) {
      this.#holdings.hold(entry)
    } else {
      this.#counters.tooLarge++
      this.#holdings.drop(entry, 'replaced')
    }
  }

  /** A list of the entry's own, from the tier or the function's option. */
  #tagsOf({ request, params }: Computation, value: unknown): readonly string[] {
    const given = request?.answer?.tags ?? this.#policy.tags?.(value, ...params)
    if (given === undefined) return []
    const tags = Array.isArray(given) ? [...given] : undefined
    if (tags?.every((tag) => typeof tag === 'string')) return tags
    throw new TypeError(`${this.#policy.name}: tags must return a list of strings`)
  }

  #bytesOf(value: unknown, estimate: number): number {
    const { name, bytesOf } = this.#policy
    if (bytesOf === undefined) return estimate
    const bytes = bytesOf(value)
    if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes
    throw new RangeError(`${name}: bytesOf returned ${bytes}, must be a whole number, 0 or more`)
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

/** How old a value was when it came from the other side. */
function ageMsOf(request: TierRequest | undefined): number {
  const ageMs = request?.answer?.ageMs ?? 0
  return Number.isFinite(ageMs) && ageMs > 0 ? ageMs : 0
}

function bytesOfTags(tags: readonly string[]): number {
  let bytes = 0
  for (const tag of tags) bytes += TAG_BYTES + stringBytes(tag)
  return bytes
}

function bytesOfKey({ first, rest }: Key): number {
  let bytes = scalarBytes(first)
  if (rest.length > 0) bytes += 16 + 8 * rest.length
  for (const component of rest) bytes += scalarBytes(component)
  return bytes
}
