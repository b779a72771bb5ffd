import assert from 'node:assert/strict'

/**
 * The slots of one lane, and how many credits the scheduler is owed for them.
 *
 * A credit permits one assignment. Credits come back not one by one but as the difference to what
 * the lane can take, so that a lane running more than it has slots for (parents that went on after
 * a wait need no credit, row J11) shrinks back by itself.
 *
 * Invariant: after `takeCredits`, active + outstanding >= slots while the lane is open, and
 * outstanding never exceeds slots.
 */
export class LaneSlots {
  readonly slots: number
  #active = 0
  #parked = 0
  #outstanding = 0
  #open = true

  constructor(slots: number) {
    assert(slots >= 1, 'a lane has at least one slot')
    this.slots = slots
  }

  /** Attempts that hold a slot. */
  get active(): number {
    return this.#active
  }

  /** Attempts that wait for children, their slots given back. */
  get parked(): number {
    return this.#parked
  }

  /** A new stream: credits given on the old one are void. */
  forgetCredits(): void {
    this.#outstanding = 0
  }

  /** Takes no more work: nothing is owed from now on. */
  close(): void {
    this.#open = false
    this.#outstanding = 0
  }

  /** An assignment arrived and used up a credit. */
  occupy(): void {
    this.#active += 1
    if (this.#outstanding > 0) this.#outstanding -= 1
  }

  /** An assignment arrived and used up a credit, but is not run. */
  refuse(): void {
    if (this.#outstanding > 0) this.#outstanding -= 1
  }

  /** An attempt ended. */
  release(parked: boolean): void {
    if (parked) this.#parked -= 1
    else this.#active -= 1
    assert(this.#active >= 0 && this.#parked >= 0, 'an attempt gives back a slot once')
  }

  /** An attempt began to wait for its children. */
  park(): void {
    this.#active -= 1
    this.#parked += 1
    assert(this.#active >= 0, 'only an active attempt can be parked')
  }

  /** An attempt goes on after a wait. */
  resume(): void {
    this.#active += 1
    this.#parked -= 1
    assert(this.#parked >= 0, 'only a parked attempt can go on')
  }

  /** The credits to send now; they count as sent. */
  takeCredits(): number {
    if (!this.#open) return 0
    const owed = Math.max(0, this.slots - this.#active - this.#outstanding)
    this.#outstanding += owed
    return owed
  }
}
