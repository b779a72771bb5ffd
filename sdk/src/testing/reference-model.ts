/**
 * Idle handlers as the requirements tell them, without any thought of cost: lists instead of heaps, time that
 * is computed instead of waited for. The model test holds the real table against it.
 */

import { type OwnerLevel, ownerLevels } from '../idle/owner.ts'

/** A handler that reopens its slot and attaches itself there anew doubles in each run; this is where it ends. */
export const attachmentsMax = 40

/** What scripts and handlers do to a table, real or modelled. Owners live in numbered slots. */
export interface World {
  /** Refused beyond `attachmentsMax`, and by a disposed owner. */
  attach(slot: number, handler: number, intervalMs: number, once: boolean): void
  detach(slot: number, handler: number): void
  dispose(slot: number): void
  /** Puts a new owner into the slot; what the old one has attached stays attached. */
  reopen(slot: number): void
  block(): void
  unblock(): void
  beginCall(): void
  endCall(): void
}

export type Action = (world: World) => void

/** What a handler does in each run. */
export interface Work {
  readonly first: Action
  /** How long it keeps the thread. */
  readonly jumpMs: number
  /** How long its promise then takes; undefined for a synchronous handler. */
  readonly waitMs: number | undefined
  readonly last: Action
  readonly fails: boolean
}

interface ModelOwner {
  readonly rank: number
  disposed: boolean
}

/** What a run leaves to its entry and to those attached in it: who goes before them. */
interface Place {
  /** Those that were due when the run ended, each with the beat it was due for. */
  ahead: readonly { readonly entry: Entry; readonly dueAtMs: number }[]
}

interface Entry {
  readonly owner: ModelOwner
  readonly handler: number
  readonly intervalMs: number
  readonly once: boolean
  dueAtMs: number
  place: Place
}

export class ReferenceModel implements World {
  nowMs = 0
  readonly log: string[] = []
  readonly #levels: readonly OwnerLevel[]
  readonly #works: readonly Work[]
  readonly #slots: ModelOwner[]
  /** In order of attachment. */
  #entries: Entry[] = []
  #running: { readonly entry: Entry; readonly endsAtMs: number } | undefined
  #blocks = 0
  #calls = 0

  constructor(levels: readonly OwnerLevel[], works: readonly Work[]) {
    this.#levels = levels
    this.#works = works
    this.#slots = levels.map(createOwner)
  }

  get size(): number {
    return this.#entries.length
  }

  isAttached(slot: number, handler: number): boolean {
    return this.#find(slot, handler) !== undefined
  }

  attach(slot: number, handler: number, intervalMs: number, once: boolean): void {
    const owner = this.#slots[slot]
    if (owner === undefined || owner.disposed) throw new Error('disposed')
    if (this.size >= attachmentsMax) throw new Error('crowded')
    const earlier = this.#find(slot, handler) ?? this.#running?.entry
    this.detach(slot, handler)
    const place = earlier?.place ?? { ahead: [] }
    const dueAtMs = this.nowMs + intervalMs
    this.#entries.push({ owner, handler, intervalMs, once, dueAtMs, place })
  }

  detach(slot: number, handler: number): void {
    const entry = this.#find(slot, handler)
    this.#keep((other) => other !== entry)
  }

  dispose(slot: number): void {
    const owner = this.#slots[slot]
    if (owner === undefined) return
    owner.disposed = true
    this.#keep((entry) => entry.owner !== owner)
  }

  reopen(slot: number): void {
    this.#slots[slot] = createOwner(this.#levels[slot] ?? 'form')
  }

  block(): void {
    this.#blocks += 1
  }

  unblock(): void {
    this.#blocks = Math.max(0, this.#blocks - 1)
  }

  beginCall(): void {
    this.#calls += 1
  }

  endCall(): void {
    this.#calls = Math.max(0, this.#calls - 1)
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      if (this.#running !== undefined) {
        if (this.#running.endsAtMs > untilMs) break
        this.nowMs = Math.max(this.nowMs, this.#running.endsAtMs)
        this.#end(this.#running.entry)
      } else {
        const nextMs = Math.max(this.nowMs, ...[Math.min(...this.#entries.map((e) => e.dueAtMs))])
        if (nextMs > untilMs || this.#blocks > 0 || this.#calls > 0) break
        this.nowMs = nextMs
        this.#start(this.#pick())
      }
    }
    this.nowMs = Math.max(this.nowMs, untilMs)
  }

  #pick(): Entry {
    const candidates = this.#due().filter(({ place }) => !place.ahead.some(this.#isWaiting))
    const rank = Math.min(...candidates.map((entry) => entry.owner.rank))
    const first = candidates.find((entry) => entry.owner.rank === rank)
    if (first === undefined) throw new Error('nothing is due')
    return first
  }

  #due(): Entry[] {
    return this.#entries.filter((entry) => entry.dueAtMs <= this.nowMs)
  }

  /** Whether an entry is still there and has not run since. */
  #isWaiting = ({ entry, dueAtMs }: Place['ahead'][number]) =>
    this.#entries.includes(entry) && entry.dueAtMs === dueAtMs

  #start(entry: Entry): void {
    this.log.push(`${this.nowMs}: ${entry.handler} begins`)
    entry.place = { ahead: [] }
    while (entry.dueAtMs <= this.nowMs) entry.dueAtMs += entry.intervalMs
    if (entry.once) this.#keep((other) => other !== entry)
    const work = this.#works[entry.handler]
    if (work === undefined) return
    this.#running = { entry, endsAtMs: this.nowMs }
    if (!this.#attempt(work.first, entry)) return
    this.nowMs += work.jumpMs
    if (work.waitMs === undefined) this.#end(entry)
    else this.#running = { entry, endsAtMs: this.nowMs + work.waitMs }
  }

  #end(entry: Entry): void {
    const work = this.#works[entry.handler]
    if (work === undefined || !this.#attempt(work.last, entry)) return
    this.#leave(entry)
    this.log.push(`${this.nowMs}: ${entry.handler} ${work.fails ? 'failed' : 'ends'}`)
  }

  /** Does a part of a handler's work; if that is refused, the handler has failed. */
  #attempt(action: Action, entry: Entry): boolean {
    try {
      action(this)
      return true
    } catch {
      this.#leave(entry)
      this.log.push(`${this.nowMs}: ${entry.handler} failed`)
      return false
    }
  }

  /** A run is over: all who are due go before the entry and what was attached in the run. */
  #leave({ place }: Entry): void {
    this.#running = undefined
    const others = this.#due().filter((entry) => entry.place !== place)
    place.ahead = others.map((entry) => ({ entry, dueAtMs: entry.dueAtMs }))
  }

  #find(slot: number, handler: number): Entry | undefined {
    const owner = this.#slots[slot]
    return this.#entries.find((entry) => entry.owner === owner && entry.handler === handler)
  }

  #keep(stays: (entry: Entry) => boolean): void {
    this.#entries = this.#entries.filter(stays)
  }
}

function createOwner(level: OwnerLevel): ModelOwner {
  return { rank: ownerLevels.indexOf(level), disposed: false }
}
