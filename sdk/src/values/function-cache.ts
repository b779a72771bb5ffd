/**
 * One reusable function: looks its calls up and judges what it finds.
 *
 * How it works: a call's parameters become components (components.ts) that lead to an entry in the
 * table of the caller's partition. A held entry is judged by age and idleness in ticks of the
 * store; one being computed is joined; what is missing goes to the computer.
 */
import { appendParameter, type Component, detachParameters, PARAMETERS_MAX } from './components.ts'
import { Computer, type Fn } from './computer.ts'
import { current } from './contexts.ts'
import { type Entry, outputOf } from './entry.ts'
import type { Flight } from './flight.ts'
import { Holdings } from './holdings.ts'
import type { Demand } from './keeper.ts'
import type { CachePolicy } from './options.ts'
import { readableParams } from './params-text.ts'
import type { Partition, Table } from './partition.ts'
import type { RefreshScope } from './refresh.ts'
import { Counters, type ValuesStatistics, verdictOf } from './statistics.ts'
import type { ValuesStore } from './store.ts'
import type { StoredFunction } from './stored-function.ts'
import { TICK_MS } from './ticks.ts'
import type { HeldValue } from './tier-side.ts'

export class FunctionCache implements StoredFunction {
  readonly policy: CachePolicy
  readonly store: ValuesStore
  readonly counters = new Counters()
  readonly holdings: Holdings
  readonly #fn: Fn
  readonly #computer: Computer
  #lastPartition: Partition | undefined
  #lastTable: Table | undefined

  constructor(fn: Fn, policy: CachePolicy, store: ValuesStore) {
    this.#fn = fn
    this.policy = policy
    this.store = store
    this.holdings = new Holdings(store, this.counters)
    this.#computer = new Computer(fn, policy, store, this.counters, this.holdings)
  }

  /** The table of the running code; undefined for a `call` function outside of any call scope. */
  table(): Table | undefined {
    const { lifetime, session } = this.policy
    const context = current()
    const partition =
      lifetime === 'call'
        ? context.callPartition
        : session === undefined
          ? context.sessionPartition
          : context.partitionIn(session)
    if (partition === this.#lastPartition) return this.#lastTable
    this.#lastPartition = partition
    this.#lastTable = partition?.tableOf(this.holdings)
    return this.#lastTable
  }

  /** Counts a hit on an entry known to be fresh in this tick, and returns what the caller gets. */
  hit(entry: Entry): unknown {
    this.counters.countHit(entry)
    return entry.output
  }

  /** Waits for a computation that another caller has started (row C7). */
  join(flight: Flight): Promise<unknown> {
    const cycle = flight.computing.join()
    if (cycle !== undefined) return Promise.reject(cycle)
    this.counters.joins++
    return flight.joinAsGuest()
  }

  /** Answers a call, whatever its parameters. */
  call(args: readonly unknown[]): unknown {
    const last = args[args.length - 1]
    const signal = last instanceof AbortSignal ? last : undefined
    const params = signal === undefined ? args : args.slice(0, -1)
    if (signal?.aborted) return this.#refuseAborted(signal)
    const table = this.table()
    if (table === undefined || table.partition.closed) {
      this.counters.outsideScope++
      return this.#fn(...args)
    }
    const components: Component[] = []
    const trie = table.trieFor(params.length, components)
    const from = components.length
    if (!this.#appendAll(components, params)) {
      this.counters.uncacheable++
      return this.#fn(...args)
    }
    const entry = trie.find(components)
    if (entry !== undefined && entry.freshAt === this.store.now) return this.hit(entry)
    const demand = (fallback: Entry | undefined): Demand => {
      const key = entry ?? { trie, first: components[0], rest: restOf(components) }
      return { table, key, params: detachParameters(params, components, from), signal, fallback }
    }
    return this.#answer(entry, signal, demand)
  }

  #appendAll(components: Component[], params: readonly unknown[]): boolean {
    if (params.length > PARAMETERS_MAX) return false
    for (let i = 0; i < params.length; i++) {
      if (!appendParameter(components, params[i])) return false
    }
    return true
  }

  /** Starts nothing. Callers of a synchronous function would not look at a rejection. */
  #refuseAborted(signal: AbortSignal): Promise<never> {
    if (this.#computer.isSync) throw signal.reason
    return Promise.reject(signal.reason)
  }

  #answer(
    entry: Entry | undefined,
    signal: AbortSignal | undefined,
    demand: (fallback: Entry | undefined) => Demand,
  ): unknown {
    const standing = entry === undefined ? 'missing' : this.#standingOf(entry)
    if (entry === undefined || standing === 'missing') {
      return this.#computer.compute(demand(undefined))
    }
    switch (standing) {
      case 'fresh':
        this.holdings.touch(entry)
        return this.#reuse(entry)
      case 'stale':
        this.holdings.use(entry)
        if (entry.flight === undefined) {
          this.#computer.revalidate({ ...demand(entry), signal: undefined })
        }
        this.counters.staleHits++
        return this.#reuse(entry)
      case 'flying':
        return this.#joinUntil(entry.flight, signal)
      case 'fallback':
        this.holdings.use(entry)
        return this.#computer.compute(demand(entry))
    }
  }

  #joinUntil(flight: Flight | undefined, signal: AbortSignal | undefined): unknown {
    if (flight === undefined) return undefined
    if (signal === undefined) return this.join(flight)
    const cycle = flight.computing.join()
    if (cycle !== undefined) return Promise.reject(cycle)
    this.counters.joins++
    return flight.join((outcome) => flight.readAsGuest(outcome, signal), signal)
  }

  /** What an entry is good for now (row C3); drops it when it is good for nothing. */
  #standingOf(entry: Entry): 'fresh' | 'stale' | 'flying' | 'fallback' | 'missing' {
    if (entry.state === 'pending') return entry.flight === undefined ? 'missing' : 'flying'
    const { maxAgeTicks, idleTicks, revalidateTicks, fallbackTicks } = this.policy
    const { now } = this.store
    const age = now - entry.computedAt
    if (now - entry.usedAt >= idleTicks + this.store.resolutionTicks) {
      this.holdings.drop(entry, 'idle')
      return 'missing'
    }
    if (age < maxAgeTicks) return 'fresh'
    if (age < revalidateTicks && entry.isAsync) return 'stale'
    if (entry.flight !== undefined) return 'flying'
    if (age < fallbackTicks) return 'fallback'
    this.holdings.drop(entry, 'age')
    return 'missing'
  }

  #reuse(entry: Entry): unknown {
    this.counters.countHit(entry)
    return outputOf(entry)
  }

  /**
   * Drops what the scope covers of this function, and what is being computed for it (row C6); all of it where nobody here can tell which
   * parameters are meant.
   */
  refresh(scope: RefreshScope): void {
    if (scope.kind === 'tag') {
      if (this.policy.tags === undefined && this.policy.tier === undefined) return
      this.#computer.outdate()
      this.holdings.dropTagged(scope.tag)
      return
    }
    this.#computer.outdate()
    const params = scope.kind === 'params' ? readableParams(scope.params) : undefined
    if (params === undefined) this.holdings.dropAll('refresh')
    else this.#refreshParams(params)
  }

  #refreshParams(params: readonly unknown[]): void {
    for (const table of [...this.holdings.filled]) {
      const components: Component[] = []
      const trie = table.trieFor(params.length, components)
      for (const param of params) appendParameter(components, param)
      const entry = trie.find(components)
      if (entry !== undefined) this.holdings.drop(entry, 'refresh')
    }
  }

  /** What is remembered for a call of the running code. */
  held(params: readonly unknown[]): HeldValue {
    const components: Component[] = []
    const table = this.table()
    const trie = table?.trieFor(params.length, components)
    const entry = this.#appendAll(components, params) ? trie?.find(components) : undefined
    if (entry?.state !== 'held') return { ageMs: 0, leftMs: 0, tags: [] }
    this.store.readClock()
    const ageTicks = this.store.now - entry.computedAt
    const leftTicks = Math.max(0, this.policy.maxAgeTicks - ageTicks)
    const leftMs = Math.min(leftTicks * TICK_MS, Number.MAX_SAFE_INTEGER)
    return { ageMs: ageTicks * TICK_MS, leftMs, tags: entry.tags }
  }

  /** Drops everything and remembers nothing from now on. */
  close(): void {
    this.#computer.isOpen = false
    this.holdings.dropAll('closed')
  }

  statistics(): ValuesStatistics {
    const { counters, holdings, policy, store } = this
    const { entries, bytes, computedAtSum } = holdings
    const ageMsMean = entries === 0 ? 0 : (store.now - computedAtSum / entries) * TICK_MS
    const drops = { ...counters.drops }
    const verdict = verdictOf(counters)
    return { ...counters, drops, name: policy.name, entries, bytes, ageMsMean, verdict }
  }
}

const NO_REST: readonly Component[] = Object.freeze([])

function restOf(components: readonly Component[]): readonly Component[] {
  return components.length === 1 ? NO_REST : components.slice(1)
}
