/**
 * Who has an attempt, its handler thread or nobody: agreed on without a message, in memory that the
 * main thread and one handler thread share. So an attempt can be taken back from a thread that
 * loads, computes or hears nothing, and it is known for sure that its handler was never called.
 *
 * 1. Each attempt given to the thread has a claim: a place in the memory that holds its ticket.
 * 2. Of `begin` (by the thread, before it calls the handler) and `withdraw` (by the main thread) one
 *    succeeds, whichever comes first.
 * 3. A place is used again under another ticket, so that an old claim to it is worth nothing.
 */

import assert from 'node:assert/strict'

/** A ticket and its place in one number, to be sent with the order. */
export type Claim = number

/** Messages taken up by the thread. */
const TAKEN = 0
/** Place of the attempt whose handler is just being called; 0 for none. */
const CALLING = 1
const FIRST_PLACE = 2

/** More than a thread is given, those that wait for children included. What is not used of the memory is not taken from the machine. */
const PLACES_MAX = 2 ** 18
const TICKET_MAX = 2 ** 31 - 1
const BYTES = Int32Array.BYTES_PER_ELEMENT

/** Not those of the moment: a handler may have put others in their place. */
const { add, compareExchange, load, store } = Atomics
const { floor } = Math

/** The main thread's side. */
export class ClaimBoard {
  /** Of a fixed length: atomics on memory that can grow cost several times as much. */
  readonly memory = new SharedArrayBuffer(PLACES_MAX * BYTES)
  readonly #words = new Int32Array(this.memory)
  readonly #free: number[] = []
  #places = FIRST_PLACE
  #ticket = 0

  /** How many messages the thread has taken up. */
  get taken(): number {
    return load(this.#words, TAKEN)
  }

  /** Whether any claim was given that was not released. */
  get isGiven(): boolean {
    return this.#places - FIRST_PLACE > this.#free.length
  }

  give(): Claim {
    const place = this.#free.pop() ?? this.#nextPlace()
    this.#ticket = (this.#ticket % TICKET_MAX) + 1
    store(this.#words, place, this.#ticket)
    return this.#ticket * PLACES_MAX + place
  }

  /** Takes an attempt back; false when its handler has been called. */
  withdraw(claim: Claim): boolean {
    const ticket = ticketOf(claim)
    return compareExchange(this.#words, placeOf(claim), ticket, 0) === ticket
  }

  hasBegun(claim: Claim): boolean {
    return load(this.#words, placeOf(claim)) === -ticketOf(claim)
  }

  /** Whether the thread is within the call of this attempt's handler, before its first `await`. */
  isCalling(claim: Claim): boolean {
    return load(this.#words, CALLING) === placeOf(claim) && this.hasBegun(claim)
  }

  /** The attempt is over, or another thread's. */
  release(claim: Claim): void {
    const place = placeOf(claim)
    store(this.#words, place, 0)
    this.#free.push(place)
  }

  #nextPlace(): number {
    const place = this.#places
    assert(place < PLACES_MAX, 'there is a place for each attempt of a thread')
    this.#places += 1
    return place
  }
}

/** The handler thread's side. */
export class HeldClaims {
  readonly #words: Int32Array<SharedArrayBuffer>

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  /** A message has been taken up. */
  take(): void {
    add(this.#words, TAKEN, 1)
  }

  /** The handler is to be called; false when the attempt was withdrawn. */
  begin(claim: Claim): boolean {
    const ticket = ticketOf(claim)
    return compareExchange(this.#words, placeOf(claim), ticket, -ticket) === ticket
  }

  /** Calls a handler; while it computes, others can see whose turn it is. */
  calling<T>(claim: Claim, call: () => T): T {
    store(this.#words, CALLING, placeOf(claim))
    try {
      return call()
    } finally {
      store(this.#words, CALLING, 0)
    }
  }
}

function placeOf(claim: Claim): number {
  return claim % PLACES_MAX
}

function ticketOf(claim: Claim): number {
  return floor(claim / PLACES_MAX)
}
