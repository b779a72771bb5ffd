/**
 * The agenda decides which handler is next. It knows no clock and runs nothing.
 *
 * Attachments lie in `due`, ordered by the time of their next run. When the client is idle, `takeDue`
 * moves all whose time has come to `ready`, ordered by level and attachment, and takes the first.
 * That is what "due together" means: due at the same idle moment, whatever the milliseconds between.
 *
 * Level alone would starve: an application handler slower than its interval would always be due and always
 * first. Hence turns. One that has run in the present turn waits for the next, and so does what was attached
 * in that run; the turn is over when nobody is left in it.
 *
 * Invariants:
 * 1. An attachment is in `due` or in `ready`, never in both.
 * 2. Nobody runs twice, by itself or by what it attaches, while another that was ready before is kept waiting.
 * 3. Within a turn: application before module before form, then order of attachment (row I3).
 */

import { type Attachment, nextBeatMs } from './attachment.ts'
import { IndexedHeap } from './indexed-heap.ts'

export class Agenda {
  readonly #due = new IndexedHeap<Attachment>(isDueBefore)
  readonly #ready = new IndexedHeap<Attachment>(runsBefore)
  #turn = 0

  get size(): number {
    return this.#due.size + this.#ready.size
  }

  /** When the next attachment is due; in the past when one is waiting. */
  get nextDueAtMs(): number | undefined {
    return (this.#ready.peek() ?? this.#due.peek())?.dueAtMs
  }

  /** @param predecessor the one it replaces, or else in whose run it is attached: its turn is inherited. */
  add(attachment: Attachment, predecessor?: Attachment): void {
    // Otherwise handlers that attach themselves or others in each run would be new in each turn (invariant 2).
    if (predecessor !== undefined) attachment.lastTurn = predecessor.lastTurn
    this.#due.push(attachment)
  }

  remove(attachment: Attachment): void {
    if (!this.#due.remove(attachment)) this.#ready.remove(attachment)
  }

  /**
   * Takes the attachment that is to run now, if any. One that repeats is back in the agenda with its next due
   * time when this returns; one that runs once is out of it.
   */
  takeDue(nowMs: number): Attachment | undefined {
    if (this.#ready.size === 0) this.#turn += 1
    this.#gather(nowMs)
    const attachment = this.#ready.pop()
    if (attachment === undefined) return undefined
    this.#turn = attachment.turn
    attachment.lastTurn = attachment.turn
    if (!attachment.once) {
      attachment.dueAtMs = nextBeatMs(attachment, nowMs)
      this.#due.push(attachment)
    }
    return attachment
  }

  /** Takes everything out, in no particular order. */
  drain(): Attachment[] {
    return [...this.#due.drain(), ...this.#ready.drain()]
  }

  #gather(nowMs: number): void {
    for (let next = this.#due.peek(); next !== undefined; next = this.#due.peek()) {
      if (next.dueAtMs > nowMs) return
      this.#due.remove(next)
      next.turn = next.lastTurn === this.#turn ? this.#turn + 1 : this.#turn
      this.#ready.push(next)
    }
  }
}

function isDueBefore(a: Attachment, b: Attachment): boolean {
  return a.dueAtMs !== b.dueAtMs ? a.dueAtMs < b.dueAtMs : a.order < b.order
}

function runsBefore(a: Attachment, b: Attachment): boolean {
  if (a.turn !== b.turn) return a.turn < b.turn
  return a.rank !== b.rank ? a.rank < b.rank : a.order < b.order
}
