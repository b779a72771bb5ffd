/**
 * One remembered call, or one that is being computed for the first time.
 *
 * `state` says what it holds: `pending` has a flight and no output yet; `held` has an output and,
 * while it is being recomputed, a flight too; `gone` was dropped and is in no table. All times are
 * ticks of the store, small integers, which keeps a million entries compact.
 */
import type { Component } from './components.ts'
import { copyValue } from './copy.ts'
import type { Flight } from './flight.ts'
import type { Leaf, Trie } from './trie.ts'

/** A place in a table: what a call's parameters come to. */
export interface Key {
  readonly trie: Trie<Entry>
  readonly first: Component
  readonly rest: readonly Component[]
}

/** No tick of a store, so that a comparison with the current one fails. */
export const NEVER = -1
const NO_TAGS: readonly string[] = Object.freeze([])

/** Where an entry is, as far as it must know. */
export interface EntryTable {
  remove(entry: Entry): void
}

export class Entry implements Leaf, Key {
  readonly isBranch = false
  readonly trie: Trie<Entry>
  readonly first: Component
  readonly rest: readonly Component[]
  readonly table: EntryTable
  state: 'pending' | 'held' | 'gone' = 'pending'
  /** What callers get: the value, or for an asynchronous function a settled promise of it. */
  output: unknown = undefined
  isAsync = false
  /** Callers get copies of this private original. */
  isCopied = false
  flight: Flight | undefined = undefined
  computedAt = 0
  usedAt = 0
  /** The tick in which it was last found fresh: in the same tick a hit needs no further check. */
  freshAt = NEVER
  hits = 0
  /** What is accounted for it; while it is pending, what its place in the table costs. */
  bytes = 0
  computeMs = 0
  tags: readonly string[] = NO_TAGS

  constructor(key: Key, table: EntryTable) {
    this.trie = key.trie
    this.first = key.first
    this.rest = key.rest
    this.table = table
  }
}

/** What one caller gets of a held entry: the shared output, or a copy of its own. */
export function outputOf(entry: Entry): unknown {
  if (!entry.isCopied) return entry.output
  const copy = copyValue(entry.output)
  return entry.isAsync ? Promise.resolve(copy) : copy
}
