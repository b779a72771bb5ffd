/**
 * Connections on which nobody is known yet. Refusing a call costs time that others wait for, so who only is refused is let go of.
 *
 * 1. There, one call after the other is looked at: what comes behind it waits, with nothing of it read, and pays for no look of its
 *    own if the connection is closed by then. Once somebody is known the connection is theirs: calls pay one look at this and no more.
 * 2. A connection is closed after {@link REFUSALS_MAX} calls within {@link WITHIN_MS} whose callers were not taken, and after
 *    {@link OTHERS_MAX} of those that anybody may make, or fewer where its address has spent what it may ({@link Arrivals}). The first
 *    kind is dear, since no honest client is told twenty times; a forged token counts as {@link FORGERY_COST}.
 * 3. A connection on which somebody is known is closed after {@link MISUSES_MAX} calls that cost more than what they are for, another
 *    one after the first. The address pays for those.
 * 4. What waited on it was not begun, and is told so, so that clients may call again elsewhere.
 */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { addressGroup } from './address-group.ts'
import type { Arrivals } from './arrivals.ts'

const REFUSALS_MAX = 20
/** In refusals: a signature is dear to look at, and no honest client sends a wrong one. */
export const FORGERY_COST = 10
const OTHERS_MAX = 1_000
const WITHIN_MS = 10_000
/** In calls of nobody known, beside those on it. Else the first seconds of a flood would be had for what honest clients need who come at once. */
const REFUSED_CONNECTION_COST = 200
const MISUSES_MAX = 3
/** In calls of nobody known. */
const MISUSE_COST = 50

/** A call whose caller is to be known first. */
export interface Entrant {
  readonly stream: ServerHttp2Stream
  /** Looks who calls; resolves when that is known or refused. */
  look(): Promise<void> | void
}

export interface StrangerCounts {
  refusals: number
  closed: number
}

export class Strangers {
  readonly counts: StrangerCounts = { refusals: 0, closed: 0 }
  readonly #arrivals: Arrivals
  readonly #onClose: Told['onClose']
  readonly #visits = new WeakMap<ServerHttp2Session, Visit>()

  /** @param onClose is to close the connection, once the last answers have left */
  constructor(arrivals: Arrivals, onClose: Told['onClose']) {
    this.#arrivals = arrivals
    this.#onClose = onClose
  }

  /** Of the connection of a call; undefined where that is gone. */
  visitOf({ session }: ServerHttp2Stream): Visit | undefined {
    if (session === undefined) return undefined
    const known = this.#visits.get(session as ServerHttp2Session)
    if (known !== undefined) return known
    const visit = new Visit(session as ServerHttp2Session, this.#arrivals, {
      counts: this.counts,
      onClose: this.#onClose,
    })
    this.#visits.set(session as ServerHttp2Session, visit)
    return visit
  }
}

interface Told {
  readonly counts: StrangerCounts
  readonly onClose: (session: ServerHttp2Session, address: string) => void
}

/** One connection, and who is known on it. */
export class Visit {
  isKnown = false
  readonly #session: ServerHttp2Session
  readonly #arrivals: Arrivals
  readonly #told: Told
  readonly #address: string
  readonly #waiting: Entrant[] = []
  #isLooking = false
  #isClosed = false
  #sinceMs = performance.now()
  #refusals = 0
  #others = 0
  #misuses = 0

  constructor(session: ServerHttp2Session, arrivals: Arrivals, told: Told) {
    this.#session = session
    this.#arrivals = arrivals
    this.#told = told
    this.#address = addressGroup(session.socket.remoteAddress)
  }

  /** Looks who makes a call, in its turn where nobody is known yet. */
  enter(call: Entrant): void {
    if (this.#isClosed) this.#refuseUnbegun(call.stream)
    else if (this.isKnown) void call.look()
    else if (this.#isLooking) this.#waiting.push(call)
    else void this.#lookInTurn(call)
  }

  /** Somebody was taken. */
  known(): void {
    if (this.isKnown) return
    this.isKnown = true
    if (this.#session.closed) return
    this.#session.once('close', this.#arrivals.known(this.#address))
  }

  /** A call whose caller was not taken; `cost` is that of a refusal, or of a forgery. */
  refused(cost = 1): void {
    this.#told.counts.refusals += 1
    if (this.isKnown) return
    this.#beginAgainLater()
    this.#arrivals.spend(this.#address)
    this.#refusals += cost
    if (this.#refusals < REFUSALS_MAX || this.#isClosed) return
    this.#arrivals.spend(this.#address, REFUSED_CONNECTION_COST)
    this.#close()
  }

  /** A call that nobody is asked about, or that has gone before anybody was. */
  passed(): void {
    if (this.isKnown) return
    this.#beginAgainLater()
    this.#others += 1
    const max = this.#arrivals.spend(this.#address) ? OTHERS_MAX : REFUSALS_MAX
    if (this.#others >= max) this.#close()
  }

  /** A call of whoever it is that took much time to no end. */
  misused(): void {
    this.#arrivals.spend(this.#address, MISUSE_COST)
    this.#misuses += 1
    if (!this.isKnown || this.#misuses >= MISUSES_MAX) this.#close()
  }

  /** Whether a call that nobody is asked about is taken: of what is there to be read many come before the connection is closed. */
  takes(stream: ServerHttp2Stream): boolean {
    if (this.#isClosed) this.#refuseUnbegun(stream)
    return !this.#isClosed
  }

  async #lookInTurn(first: Entrant): Promise<void> {
    this.#isLooking = true
    const looking = first.look()
    if (looking !== undefined) await looking
    let next = this.#waiting.shift()
    while (next !== undefined) {
      if (this.#isClosed) this.#refuseUnbegun(next.stream)
      else if (next.stream.closed) this.passed()
      // Who waits behind somebody known is looked at with everybody else.
      else if (this.isKnown) void next.look()
      else await next.look()
      next = this.#waiting.shift()
    }
    this.#isLooking = false
  }

  /** By this code a client knows that it may call again, whatever the call does. It has cost about as much as one that is looked at. */
  #refuseUnbegun(stream: ServerHttp2Stream): void {
    this.#arrivals.spend(this.#address)
    if (!stream.closed) stream.close(constants.NGHTTP2_REFUSED_STREAM)
  }

  #beginAgainLater(): void {
    const nowMs = performance.now()
    if (nowMs - this.#sinceMs < WITHIN_MS) return
    this.#sinceMs = nowMs
    this.#refusals = 0
    this.#others = 0
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#told.counts.closed += 1
    this.#told.onClose(this.#session, this.#address)
  }
}
