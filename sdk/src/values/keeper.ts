/**
 * Decides what becomes of a computed value: whether it may be shared, and whether it is remembered.
 *
 * Invariants:
 * 1. A value reaches a second caller only as the rule in force allows (share.ts): frozen, copied,
 *    or as it is where the user asked for that.
 * 2. Everything the user's options say of a value is checked before anything of the table changes.
 */
import type { Computing } from './computing.ts'
import { Entry, type Key } from './entry.ts'
import type { Outcome } from './flight.ts'
import type { Holdings } from './holdings.ts'
import { scalarBytes, stringBytes } from './inspect.ts'
import type { CachePolicy } from './options.ts'
import type { Table } from './partition.ts'
import { shareValue } from './share.ts'
import type { Counters } from './statistics.ts'
import type { ValuesStore } from './store.ts'
import { TICK_MS } from './ticks.ts'
import type { TierRequest } from './tier-call.ts'

/** What a tag of an entry costs: its places in the entry and in the index. */
const TAG_BYTES = 100
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
export interface Computation extends Demand {
  readonly computing: Computing
  /** Tells the function to stop; absent when the first caller gave no signal. */
  readonly controller: AbortController | undefined
  readonly startedMs: number
  readonly epoch: number
  /** Present with a tier. */
  readonly request: TierRequest | undefined
}

export class Keeper {
  readonly #policy: CachePolicy
  readonly #store: ValuesStore
  readonly #counters: Counters
  readonly #holdings: Holdings

  constructor(policy: CachePolicy, store: ValuesStore, counters: Counters, holdings: Holdings) {
    this.#policy = policy
    this.#store = store
    this.#counters = counters
    this.#holdings = holdings
  }

  /** Shares a computed value and remembers it if that may be (rows C3, C5). */
  keep(
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
    const sharing = shareValue(
      value,
      policy.freeze,
      policy.unfreezable,
      policy.lifetime === 'session',
    )
    if (sharing.kind === 'refused') {
      counters.refused++
      if (policy.unfreezable === 'bypass') return { value, isShareable: false }
      throw new TypeError(
        `The value of ${policy.name} cannot ${sharing.cannot}: it ${sharing.why}. ${sharing.remedy}`,
      )
    }
    const isCopied = sharing.kind === 'copied'
    const kept = isCopied ? sharing.original : value
    const { key, request } = computation
    const tags = this.#tagsOf(computation, value)
    const bytes = bytesOfKey(key) + this.#bytesOf(value, sharing.bytes) + bytesOfTags(tags)
    if (isCurrent && request?.answer?.leftMs !== 0) {
      const entry = this.#placeFor(computation, pending)
      entry.isAsync = pending !== undefined
      entry.isCopied = isCopied
      entry.output = entry.isAsync && !isCopied ? Promise.resolve(kept) : kept
      entry.computeMs = computeMs
      entry.bytes += bytes
      entry.computedAt = this.#store.now - this.#ageTicksOf(request)
      if (tags.length > 0) entry.tags = tags
      this.#remember(entry)
      if (request !== undefined && request.answer === undefined) void request.offer(kept, tags)
    } else counters.outdated++
    return isCopied
      ? { value, isShareable: true, original: { value: kept } }
      : { value, isShareable: true }
  }

  /** As old as it must seem to be dropped in time: by its age, and where less is left on the other side by that. */
  #ageTicksOf(request: TierRequest | undefined): number {
    const { ageMs = 0, leftMs = Infinity } = request?.answer ?? {}
    const ageTicks = ageMs > 0 && Number.isFinite(ageMs) ? Math.floor(ageMs / TICK_MS) : 0
    const leftTicks = Math.floor(leftMs / TICK_MS)
    const { maxAgeTicks } = this.#policy
    return leftTicks < maxAgeTicks ? Math.max(ageTicks, maxAgeTicks - leftTicks) : ageTicks
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
    this.vacate(key)
    const entry = new Entry(key, table)
    table.insert(entry)
    return entry
  }

  /** Makes room for a new entry under these parameters. */
  vacate(key: Key): void {
    const present = key.trie.at(key)
    if (present !== undefined) this.#holdings.drop(present, 'replaced')
  }
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
