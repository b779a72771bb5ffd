/**
 * The agenda decides which handler is next. It knows no clock and runs nothing.
 *
 * Attachments lie in `due`, ordered by the time of their next run. When the client is idle, and when a run ends, all
 * whose time has come are moved out of it together: they are a crowd. Of all who wait, the first by level and
 * attachment runs next. That is what "due together" means: waiting at the same idle moment, whatever the milliseconds
 * between.
 *
 * Level alone would starve: an application handler slower than its interval would always be due and always first.
 * Hence places: whoever has run, and what was attached in that run, stands behind all who were due when it ended.
 * Until the last of them has run, it is in `behind`; then it is `ready`.
 *
 * Invariants:
 * 1. An attachment is in one of `due`, `behind` and `ready`.
 * 2. Nobody runs again, by itself or by what it attaches, before those that were due when its run ended.
 * 3. Otherwise: application before module before form, then order of attachment (row I3).
 * 4. A place is behind crowds that were there before its attachments became due; so the oldest crowd is ready, and
 *    if anybody waits, somebody may run.
 */

import { type Attachment, type Crowd, nextBeatMs, type Place } from './attachment.ts'
import { IndexedHeap } from './indexed-heap.ts'

export class Agenda {
  readonly #due = new IndexedHeap<Attachment>(isDueBefore)
  readonly #behind = new IndexedHeap<Attachment>(standsBefore)
  readonly #ready = new IndexedHeap<Attachment>(runsBefore)
  /** The oldest first. */
  readonly #crowds: Crowd[] = []
  #crowdNumber = 0

  get size(): number {
    return this.#due.size + this.#behind.size + this.#ready.size
  }

  /** When the next attachment is due; in the past when one is waiting. */
  get nextDueAtMs(): number | undefined {
    return (this.#ready.peek() ?? this.#behind.peek() ?? this.#due.peek())?.dueAtMs
  }

  /** @param predecessor the one it replaces, or else in whose run it is attached: its place is inherited. */
  add(attachment: Attachment, predecessor?: Attachment): void {
    // Otherwise handlers that attach themselves or others in each run would be new each time (invariant 2).
    if (predecessor !== undefined) attachment.place = predecessor.place
    this.#due.push(attachment)
  }

  remove(attachment: Attachment): void {
    if (this.#due.remove(attachment)) return
    if (this.#ready.remove(attachment) || this.#behind.remove(attachment)) leaveCrowd(attachment)
  }

  /**
   * Takes the attachment that is to run now, if any; `end` is to be called when the run is over. One that repeats is
   * back in the agenda with its next due time when this returns; one that runs once is out of it.
   */
  takeDue(nowMs: number): Attachment | undefined {
    this.#gather(nowMs)
    this.#admit()
    const attachment = this.#ready.pop()
    if (attachment === undefined) return undefined
    leaveCrowd(attachment)
    attachment.place = { behind: this.#crowdNumber }
    if (!attachment.once) {
      attachment.dueAtMs = nextBeatMs(attachment, nowMs)
      this.#due.push(attachment)
    }
    return attachment
  }

  /** The run of an attachment is over: those that are due now go before it (invariant 2). */
  end({ place }: Attachment, nowMs: number): void {
    this.#gather(nowMs, place)
    place.behind = this.#crowdNumber
  }

  /** Takes everything out, in no particular order. */
  drain(): Attachment[] {
    this.#crowds.length = 0
    return [...this.#due.drain(), ...this.#behind.drain(), ...this.#ready.drain()]
  }

  /** All whose time has come, but for those of one place, become a crowd. */
  #gather(nowMs: number, except?: Place): void {
    const crowd: Crowd = { number: this.#crowdNumber + 1, waiting: 0 }
    const oldest = this.#oldest?.number ?? crowd.number
    const excepted: Attachment[] = []
    for (let next = this.#due.peek(); next !== undefined; next = this.#due.peek()) {
      if (next.dueAtMs > nowMs) break
      this.#due.remove(next)
      if (next.place === except) {
        excepted.push(next)
        continue
      }
      next.crowd = crowd
      crowd.waiting += 1
      const queue = next.place.behind < oldest ? this.#ready : this.#behind
      queue.push(next)
    }
    for (const attachment of excepted) this.#due.push(attachment)
    if (crowd.waiting === 0) return
    this.#crowds.push(crowd)
    this.#crowdNumber = crowd.number
  }

  /** Those behind whom nobody is waited for any more are ready. */
  #admit(): void {
    const oldest = this.#oldest?.number ?? Number.POSITIVE_INFINITY
    for (let next = this.#behind.peek(); next !== undefined; next = this.#behind.peek()) {
      if (next.place.behind >= oldest) return
      this.#behind.remove(next)
      this.#ready.push(next)
    }
  }

  get #oldest(): Crowd | undefined {
    while (this.#crowds[0]?.waiting === 0) this.#crowds.shift()
    return this.#crowds[0]
  }
}

function leaveCrowd({ crowd }: Attachment): void {
  if (crowd !== undefined) crowd.waiting -= 1
}

function isDueBefore(a: Attachment, b: Attachment): boolean {
  return a.dueAtMs !== b.dueAtMs ? a.dueAtMs < b.dueAtMs : a.order < b.order
}

function standsBefore(a: Attachment, b: Attachment): boolean {
  const [left, right] = [a.place.behind, b.place.behind]
  return left !== right ? left < right : a.order < b.order
}

function runsBefore(a: Attachment, b: Attachment): boolean {
  return a.rank !== b.rank ? a.rank < b.rank : a.order < b.order
}
