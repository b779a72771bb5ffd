/**
 * What one function remembers, in whatever partition: the order of use, sizes, tags, and every way
 * out.
 *
 * Invariants:
 * 1. An entry that is `held` is in its table, in `#order` and under each of its tags; one that is
 *    `gone` is in none of them. A `pending` one is in its table, and in `flying` from its first
 *    wait on.
 * 2. `bytes` is the sum over held entries, and the store's `bytes` the sum over functions.
 * 3. Order of use is kept to the tick: a second use in the same tick does not move an entry.
 */
import { LRUCache } from 'lru-cache'
import { type Entry, NEVER } from './entry.ts'
import type { Table, TableOwner } from './partition.ts'
import type { Counters, DropCause } from './statistics.ts'

/** What holdings need of their store. */
export interface Budget {
  readonly bytesMax: number
  readonly now: number
  /** Told of every change of bytes held; a rise may drop entries of any function. */
  account(bytes: number): void
}

export class Holdings implements TableOwner {
  readonly filled = new Set<Table>()
  /** Entries being computed, for the first time or again. */
  readonly flying = new Set<Entry>()
  /** Sum of `computedAt`, for the mean age. */
  computedAtSum = 0
  readonly #order: LRUCache<Entry, Entry>
  readonly #byTag = new Map<string, Set<Entry>>()
  readonly #budget: Budget
  readonly #counters: Counters
  #dropCause: DropCause = 'bytes'

  constructor(budget: Budget, counters: Counters) {
    this.#budget = budget
    this.#counters = counters
    this.#order = new LRUCache({
      maxSize: budget.bytesMax,
      dispose: (entry) => this.#dropped(entry, this.#dropCause),
    })
  }

  get entries(): number {
    return this.#order.size
  }

  get bytes(): number {
    return this.#order.calculatedSize
  }

  /**
   * Takes in a pending entry that is in its table and has output, size, tags and times set. Its size
   * is within the budget.
   */
  hold(entry: Entry): void {
    this.#order.set(entry, entry, { size: entry.bytes })
    entry.state = 'held'
    entry.usedAt = this.#budget.now
    this.#counters.remembered++
    this.computedAtSum += entry.computedAt
    for (const tag of entry.tags) {
      const tagged = this.#byTag.get(tag)
      if (tagged === undefined) this.#byTag.set(tag, new Set([entry]))
      else tagged.add(entry)
    }
    this.#budget.account(entry.bytes)
  }

  /** Notes a use of an entry found fresh. */
  touch(entry: Entry): void {
    const { now } = this.#budget
    if (!entry.isCopied) entry.freshAt = now
    this.use(entry)
  }

  /** Notes a use. */
  use(entry: Entry): void {
    entry.usedAt = this.#budget.now
    this.#order.get(entry)
  }

  /** Drops an entry and cuts off a computation for it: whoever waits still gets the outcome. */
  drop(entry: Entry, cause: DropCause): void {
    if (entry.flight !== undefined) {
      entry.flight.isDetached = true
      entry.flight = undefined
      this.flying.delete(entry)
    }
    if (entry.state === 'held') {
      this.#dropCause = cause
      this.#order.delete(entry)
      this.#dropCause = 'bytes' // what lru-cache evicts by itself is over its size
    } else if (entry.state === 'pending') {
      entry.state = 'gone'
      entry.table.remove(entry)
    }
  }

  dropTable(table: Table): void {
    for (const entry of table.entries()) this.drop(entry, 'closed')
  }

  dropAll(cause: DropCause): void {
    for (const entry of [...this.#order.keys(), ...this.flying]) this.drop(entry, cause)
  }

  /**
   * Tags of what is being computed are not known yet, so it is dropped as if it carried the tag.
   */
  dropTagged(tag: string): void {
    for (const entry of [...(this.#byTag.get(tag) ?? []), ...this.flying])
      this.drop(entry, 'refresh')
  }

  /** When the least recently used entry was last used; undefined when there is none. */
  get oldestUse(): number | undefined {
    return this.#oldest()?.usedAt
  }

  dropOldest(cause: DropCause): void {
    const oldest = this.#oldest()
    if (oldest !== undefined) this.drop(oldest, cause)
  }

  /** Drops by order of use what has been idle too long. */
  dropIdle(idleTicks: number): void {
    for (let entry = this.#oldest(); entry !== undefined; entry = this.#oldest()) {
      if (this.#budget.now - entry.usedAt < idleTicks) return
      this.drop(entry, 'idle')
    }
  }

  /** Drops what is too old to serve in any way; walks all entries. */
  dropAged(ageTicks: number): void {
    for (const entry of [...this.#order.keys()]) {
      if (this.#budget.now - entry.computedAt >= ageTicks) this.drop(entry, 'age')
    }
  }

  #oldest(): Entry | undefined {
    return this.#order.rkeys().next().value ?? undefined
  }

  #dropped(entry: Entry, cause: DropCause): void {
    if (entry.flight !== undefined) {
      entry.flight.isDetached = true
      entry.flight = undefined
      this.flying.delete(entry)
    }
    entry.state = 'gone'
    entry.freshAt = NEVER
    entry.table.remove(entry)
    for (const tag of entry.tags) {
      const tagged = this.#byTag.get(tag)
      tagged?.delete(entry)
      if (tagged?.size === 0) this.#byTag.delete(tag)
    }
    this.computedAtSum -= entry.computedAt
    this.#counters.drops[cause]++
    if (entry.hits === 0) this.#counters.droppedUnused++
    this.#budget.account(-entry.bytes)
  }
}
