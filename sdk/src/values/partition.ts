/**
 * Where values live: a partition for each (session or call scope, user, privileged mode), in it a
 * table for each function. Values never cross partitions, so rights never leak (row C4).
 *
 * Invariants:
 * 1. For one identity of one owner there is at most one live partition: two requests of a user that
 *    start together share what they compute.
 * 2. A partition nobody uses (no context, no entry) can be collected; a long-lived session does not
 *    grow with every user it has ever served.
 * 3. A closed partition holds nothing and never will again.
 */
import { type Component, NOTHING } from './components.ts'
import type { Entry } from './entry.ts'
import { Trie } from './trie.ts'

/** An entry itself, its place in the trie and in lru-cache. */
const ENTRY_BYTES = 300
/** A level of the trie that an entry adds. */
const BRANCH_BYTES = 300

/** The function a table belongs to, as far as a partition must know it. */
export interface TableOwner {
  /** Tables of this function that hold something, in whatever partition. */
  readonly filled: Set<Table>
  dropTable(table: Table): void
}

/** The values of one function in one partition. */
export class Table {
  readonly owner: TableOwner
  readonly partition: Partition
  /** Entries of calls without parameters or with one. */
  readonly ones = new Trie<Entry>()
  /** Entries of calls with two parameters; apart, so that both can be looked up without a list. */
  readonly twos = new Trie<Entry>()
  /** Entries of longer calls; their first component is the number of parameters. */
  readonly longer = new Trie<Entry>()
  #entries = 0

  constructor(owner: TableOwner, partition: Partition) {
    this.owner = owner
    this.partition = partition
  }

  /**
   * The trie for calls with this many parameters; `components` gets what their sequence begins
   * with.
   */
  trieFor(parameters: number, components: Component[]): Trie<Entry> {
    if (parameters === 1) return this.ones
    if (parameters === 2) return this.twos
    components.push(parameters === 0 ? NOTHING : parameters)
    return parameters === 0 ? this.ones : this.longer
  }

  insert(entry: Entry): void {
    entry.bytes = ENTRY_BYTES + BRANCH_BYTES * entry.trie.insert(entry)
    if (this.#entries++ > 0) return
    this.partition.filled.add(this)
    this.owner.filled.add(this)
  }

  /** Does nothing when the entry is not there any more. */
  remove(entry: Entry): void {
    if (!entry.trie.remove(entry)) return
    if (--this.#entries > 0) return
    this.partition.filled.delete(this)
    this.owner.filled.delete(this)
  }

  /** A copy, so that entries can be removed while it is read. */
  entries(): Entry[] {
    return [...this.ones.leaves(), ...this.twos.leaves(), ...this.longer.leaves()]
  }
}

export interface Identity {
  /** Number of the session object; two sessions never share one. */
  readonly session: number
  readonly user: string | undefined
  readonly privileged: boolean
}

export class Partition {
  readonly identity: Identity
  /** Tables that hold something, which is what closing must find. */
  readonly filled = new Set<Table>()
  closed = false
  readonly #tables = new WeakMap<TableOwner, Table>()

  constructor(identity: Identity) {
    this.identity = identity
  }

  tableOf(owner: TableOwner): Table {
    let table = this.#tables.get(owner)
    if (table === undefined) {
      table = new Table(owner, this)
      this.#tables.set(owner, table)
    }
    return table
  }

  close(): void {
    this.closed = true
    for (const table of [...this.filled]) table.owner.dropTable(table)
  }
}

/** The partitions of one session or call scope. */
export class Partitions {
  readonly #byIdentity = new Map<string, WeakRef<Partition>>()
  readonly #collected = new FinalizationRegistry<string>((key) => {
    // a new partition may have taken the place meanwhile
    if (this.#byIdentity.get(key)?.deref() === undefined) this.#byIdentity.delete(key)
  })
  #closed = false

  of(identity: Identity): Partition {
    const { session, user, privileged } = identity
    const key = `${session} ${privileged} ${user === undefined ? '' : `=${user}`}`
    const known = this.#byIdentity.get(key)?.deref()
    if (known !== undefined) return known
    const partition = new Partition(identity)
    partition.closed = this.#closed
    this.#byIdentity.set(key, new WeakRef(partition))
    this.#collected.register(partition, key)
    return partition
  }

  close(): void {
    this.#closed = true
    for (const partition of this.#byIdentity.values()) partition.deref()?.close()
    this.#byIdentity.clear()
  }

  /** Partitions in use or not collected yet. */
  get size(): number {
    return this.#byIdentity.size
  }

  get closed(): boolean {
    return this.#closed
  }
}
