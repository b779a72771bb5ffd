/**
 * Everything a process remembers: its functions, one clock, one budget, one way to refresh.
 *
 * How it works: time is read on every miss and by one timer, which runs only while something is
 * held; hits compare small integers. Each turn of the timer drops what has been idle too long and
 * looks at the heap.
 *
 * Invariants:
 * 1. `bytes` is the sum over functions and at most `bytesMax` after every change.
 * 2. The timer runs exactly while `bytes` is above zero and the store is open; it never keeps a
 *    process alive.
 * 3. A name belongs to one function of the store at a time.
 */
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { callback, isObject, numberRule, rule } from '../arguments/rules.ts'
import { systemValuesClock, type ValuesClock } from './clock.ts'
import type { Budget } from './holdings.ts'
import type { RefreshMessage, RefreshPort, RefreshScope } from './refresh.ts'
import { AsyncLocalStorage, heapRatio } from './runtime.ts'
import { receiveShared, sharedPorts } from './shared-ports.ts'
import type { DropCause, ValuesStatistics } from './statistics.ts'
import type { StoredFunction } from './stored-function.ts'
import { TICK_MS, ticksOf } from './ticks.ts'

export interface ValuesStoreOptions {
  /** Estimated bytes held at most, over all functions; default 64 MiB (row C3). */
  readonly bytesMax?: number
  /**
   * Share of the heap limit in use above which values are dropped, a quarter a turn; default 0.85
   * (row C3).
   */
  readonly heapRatioMax?: number
  /** Reads the share of the heap limit in use, 0 to 1; default from V8. */
  readonly heapRatio?: () => number
  /** How late a value may be found too old, milliseconds; default 1000. */
  readonly resolutionMs?: number
  /** Default: the process's monotonic clock. */
  readonly clock?: ValuesClock
  /** Carries refreshes to other processes; default none (row C6). */
  readonly refreshPort?: RefreshPort
}

const RULES: Rules<ValuesStoreOptions> = {
  bytesMax: numberRule(
    'a whole number above 0',
    (value) => Number.isSafeInteger(value) && value > 0,
  ),
  heapRatioMax: numberRule('from 0 to 1', (value) => value >= 0 && value <= 1),
  heapRatio: callback,
  resolutionMs: numberRule('milliseconds above 0', (value) => value > 0),
  clock: rule(
    'a clock with now() and repeat()',
    (value) => isObject(value) && 'now' in value && 'repeat' in value,
  ),
  refreshPort: rule(
    'a port with publish() and subscribe()',
    (value) => isObject(value) && 'publish' in value && 'subscribe' in value,
  ),
}
/** For whoever takes a store. */
export const store = rule(
  'a store made by createValuesStore',
  (value) => value instanceof ValuesStore,
)

const BYTES_MAX_DEFAULT = 64 * 1024 * 1024
const AGE_SWEEP_EVERY_TICKS = ticksOf(60_000)

/** One that nobody holds any more need not be closed. */
const openStores = new Set<WeakRef<ValuesStore>>()
const letGo = new FinalizationRegistry<WeakRef<ValuesStore>>((self) => openStores.delete(self))

/** Runs what outlives a call apart from that call's context, which the timer would keep alive. */
const outsideOfCalls = AsyncLocalStorage.snapshot()

export class ValuesStore implements Budget {
  readonly bytesMax: number
  /** The current tick; coarse, see `resolutionMs`. */
  now = 0
  /** How far `now` may be behind: nothing is called idle before that has passed too. */
  readonly resolutionTicks: number
  bytes = 0
  isOpen = true
  readonly #id = crypto.getRandomValues(new BigUint64Array(2)).join('-')
  readonly #self = new WeakRef<ValuesStore>(this)
  readonly #functions = new Map<string, StoredFunction>()
  readonly #ports = new Map<RefreshPort, { readonly subscription: Disposable; users: number }>()
  readonly #clock: ValuesClock
  readonly #resolutionMs: number
  readonly #heapRatio: () => number
  readonly #heapRatioMax: number
  #timer: Disposable | undefined
  #agesSweptAt = 0

  constructor(options: ValuesStoreOptions = {}) {
    checkOptions('createValuesStore', options, RULES)
    this.bytesMax = options.bytesMax ?? BYTES_MAX_DEFAULT
    this.#clock = options.clock ?? systemValuesClock
    this.#resolutionMs = options.resolutionMs ?? 1000
    this.resolutionTicks = ticksOf(this.#resolutionMs)
    this.#heapRatio = options.heapRatio ?? heapRatio
    this.#heapRatioMax = options.heapRatioMax ?? 0.85
    if (options.refreshPort !== undefined) this.connectRefresh(options.refreshPort)
    openStores.add(this.#self)
    letGo.register(this, this.#self)
  }

  /** Reads the clock, moves the current tick on, and returns the exact milliseconds. */
  readClock(): number {
    const ms = this.#clock.now()
    this.now = Math.floor(ms / TICK_MS)
    return ms
  }

  /**
   * Throws when the name is taken: wrap once, at the top of a module, not once for each request.
   */
  register(cache: StoredFunction): void {
    const { name } = cache.policy
    if (this.#functions.has(name)) {
      throw new Error(
        `A reusable function named ${name} exists already: ` +
          'wrap a function once, not for each call, or pass another { name }',
      )
    }
    this.#functions.set(name, cache)
  }

  unregister(cache: StoredFunction): void {
    if (this.#functions.get(cache.policy.name) === cache) this.#functions.delete(cache.policy.name)
    cache.close()
  }

  account(bytes: number): void {
    this.bytes += bytes
    while (this.bytes > this.bytesMax) this.#dropLeastRecentlyUsed('bytes')
    if (this.bytes > 0 && this.isOpen) {
      this.#timer ??= outsideOfCalls(() =>
        this.#clock.repeat(this.#resolutionMs, () => this.#turn()),
      )
    } else {
      this.#timer?.[Symbol.dispose]()
      this.#timer = undefined
    }
  }

  #dropLeastRecentlyUsed(cause: DropCause): void {
    let oldest: StoredFunction | undefined
    let oldestUse = Infinity
    for (const cache of this.#functions.values()) {
      const use = cache.holdings.oldestUse ?? Infinity
      if (use >= oldestUse) continue
      oldest = cache
      oldestUse = use
    }
    oldest?.holdings.dropOldest(cause)
  }

  #turn(): void {
    this.readClock()
    const isSweepDue = this.now - this.#agesSweptAt >= AGE_SWEEP_EVERY_TICKS
    if (isSweepDue) this.#agesSweptAt = this.now
    for (const { holdings, policy } of this.#functions.values()) {
      const ageTicks = Math.max(policy.maxAgeTicks, policy.revalidateTicks, policy.fallbackTicks)
      if (policy.idleTicks !== Infinity) holdings.dropIdle(policy.idleTicks + this.resolutionTicks)
      // otherwise what nobody asks for again goes by idleness soon enough
      if (isSweepDue && policy.idleTicks > ageTicks) holdings.dropAged(ageTicks)
    }
    if (this.bytes > 0 && this.#heapRatio() > this.#heapRatioMax) this.#relieveHeap()
  }

  /**
   * Drops a quarter of every function's values, by order of use; the next turn goes on if that was
   * too little.
   */
  #relieveHeap(): void {
    for (const { holdings } of this.#functions.values()) {
      const target = holdings.bytes * 0.75
      while (holdings.bytes > target) holdings.dropOldest('heap')
    }
  }

  /**
   * Drops what the scope covers, here at once and through the ports elsewhere (row C6). Resolves
   * when every port has accepted; rejects with an AggregateError when one has not, the values here
   * being dropped all the same. What was computed here meanwhile is dropped, too.
   */
  refresh(scope: RefreshScope): Promise<void> {
    return ValuesStore.refresh([this], scope)
  }

  /** Drops what the scope covers here, and tells the ports that are not among those told already. */
  #refresh(scope: RefreshScope, told: Set<RefreshPort>): Promise<void>[] {
    this.#apply(scope)
    const message: RefreshMessage = { origin: this.#id, scope }
    const untold = this.#allPorts().filter((port) => !told.has(port))
    return untold.map(async (port) => {
      told.add(port)
      await port.publish(message)
    })
  }

  /** As `refresh`, in several stores; a port they share is told once. So is `port`, whose error is thrown as it is. */
  static async refresh(
    stores: Iterable<ValuesStore>,
    scope: RefreshScope,
    port?: RefreshPort,
  ): Promise<void> {
    const all = [...stores]
    const told = new Set<RefreshPort>()
    if (port !== undefined) told.add(port)
    const telling = Promise.allSettled(all.flatMap((one) => one.#refresh(scope, told)))
    await port?.publish({ origin: '', scope })
    const sent = await telling
    // Others may have answered as before until they were told, and what they answered is remembered here.
    if (told.size > 0) for (const one of all) one.#apply(scope)
    const errors = sent.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    if (errors.length > 0) {
      throw new AggregateError(
        errors,
        'Values were refreshed here, but other processes were not told',
      )
    }
  }

  #apply(scope: RefreshScope): void {
    if (scope.kind === 'function' || scope.kind === 'params') {
      this.#functions.get(scope.name)?.refresh(scope)
      return
    }
    for (const cache of this.#functions.values()) cache.refresh(scope)
  }

  /**
   * Sends and receives refreshes through `port` until disposed. The same port connected twice is
   * one connection, which lasts until both are disposed.
   */
  connectRefresh(port: RefreshPort): Disposable {
    const known = this.#ports.get(port)
    if (known !== undefined) known.users++
    else {
      const subscription = port.subscribe((message) => this.receive(message))
      this.#ports.set(port, { subscription, users: 1 })
    }
    let isConnected = true
    return {
      [Symbol.dispose]: () => {
        if (isConnected) this.#disconnect(port)
        isConnected = false
      },
    }
  }

  /** Resolves when what was refreshed up to an epoch has been dropped here, as far as ports know epochs. */
  async reachRefreshes(epoch: number): Promise<void> {
    await Promise.all(this.#allPorts().map((port) => port.reach?.(epoch)))
  }

  /** Drops what a port says; what was said here has been dropped. */
  receive({ origin, scope }: RefreshMessage): void {
    if (origin !== this.#id) this.#apply(scope)
  }

  #allPorts(): RefreshPort[] {
    return [...new Set([...this.#ports.keys(), ...sharedPorts])]
  }

  #disconnect(port: RefreshPort): void {
    const connection = this.#ports.get(port)
    if (connection === undefined || --connection.users > 0) return
    connection.subscription[Symbol.dispose]()
    this.#ports.delete(port)
  }

  /** A snapshot of every function, in order of creation (row C7). */
  statistics(): ValuesStatistics[] {
    return [...this.#functions.values()].map((cache) => cache.statistics())
  }

  /** Drops everything, disconnects, stops the timer. Its functions run on and remember nothing. */
  close(): void {
    this.isOpen = false
    openStores.delete(this.#self)
    for (const { subscription } of this.#ports.values()) subscription[Symbol.dispose]()
    this.#ports.clear()
    for (const cache of this.#functions.values()) cache.holdings.dropAll('closed')
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Opens a store of one's own, apart from the process's. Throws a RangeError for a budget that is
 * none.
 */
export function createValuesStore(options?: ValuesStoreOptions): ValuesStore {
  return new ValuesStore(options)
}

/** Every store of the process that is in use and not closed, in order of creation. */
export function* openValuesStores(): Generator<ValuesStore> {
  for (const self of openStores) {
    const open = self.deref()
    if (open !== undefined) yield open
  }
}

receiveShared((message) => {
  for (const store of openValuesStores()) store.receive(message)
})

/** The process's store, where functions go that name no other. */
export const defaultValuesStore = createValuesStore()
