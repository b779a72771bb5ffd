/**
 * Connections are let in at the rate of what their address costs while nobody on them is known. Known callers cost nothing, so an
 * address that has many of them pays for its strangers alone.
 *
 * 1. What an address has spent sinks by {@link PER_SECOND} a second; one that has spent {@link SPENT_MAX} waits, before TLS and
 *    before anything is read. Where known callers have connections from the address too, both are {@link KNOWN_FACTOR} times that.
 * 2. A connection costs {@link CONNECTION_COST}, which is given back once somebody known calls on it; a call of nobody known costs 1.
 * 3. Who waits is let in in order, and what waits is bounded, as is the number of addresses remembered.
 */
import type { Socket } from 'node:net'
import { LRUCache } from 'lru-cache'
import { addressGroup } from './address-group.ts'

const PER_SECOND = 200
const SPENT_MAX = 2_000
const KNOWN_FACTOR = 4
const CONNECTION_COST = 10
const ADDRESSES_MAX = 10_000
/** Of one address: at the rate of connections that are refused everything, what comes within some seconds. */
const WAITING_MAX = 100
const WAITING_MAX_OVERALL = 2_000

/** What is counted of an address. */
interface Address {
  spent: number
  atMs: number
  /** Connections on which somebody known has called. */
  known: number
  readonly waiting: Map<Socket, () => void>
  timer: NodeJS.Timeout | undefined
}

export interface ArrivalCounts {
  held: number
  turnedAway: number
}

export class Arrivals {
  readonly counts: ArrivalCounts = { held: 0, turnedAway: 0 }
  readonly #now: () => number
  readonly #addresses = new LRUCache<string, Address>({
    max: ADDRESSES_MAX,
    dispose: (address) => this.#forget(address),
  })
  #waiting = 0

  constructor(now = () => performance.now()) {
    this.#now = now
  }

  /** Calls `letIn` at once, when it is its turn, or never: then the socket is destroyed. */
  arrive(socket: Socket, letIn: () => void): void {
    const address = this.#of(addressGroup(socket.remoteAddress))
    if (address.waiting.size === 0 && this.#pay(address)) {
      letIn()
      return
    }
    if (address.waiting.size >= WAITING_MAX || this.#waiting >= WAITING_MAX_OVERALL) {
      this.counts.turnedAway += 1
      socket.destroy()
      return
    }
    this.counts.held += 1
    this.#hold(address, socket, letIn)
  }

  /** A call of nobody known; false once the address has spent what it may. */
  spend(group: string, cost = 1): boolean {
    const address = this.#of(group)
    this.#sink(address)
    const max = SPENT_MAX * factorOf(address)
    // What is spent beyond is not for ever to be made up for: others may come from there.
    address.spent = Math.min(address.spent + cost, 2 * max)
    return address.spent < max
  }

  /** Somebody known calls on a connection; call what is returned when that is closed. */
  known(group: string): () => void {
    const address = this.#of(group)
    this.#sink(address)
    address.known += 1
    address.spent = Math.max(0, address.spent - CONNECTION_COST)
    this.#serve(address)
    return () => {
      address.known -= 1
    }
  }

  stop(): void {
    this.#addresses.clear()
  }

  #of(group: string): Address {
    let address = this.#addresses.get(group)
    if (address !== undefined) return address
    address = { spent: 0, atMs: this.#now(), known: 0, waiting: new Map(), timer: undefined }
    this.#addresses.set(group, address)
    return address
  }

  #pay(address: Address): boolean {
    this.#sink(address)
    if (address.spent >= SPENT_MAX * factorOf(address)) return false
    address.spent += CONNECTION_COST
    return true
  }

  #sink(address: Address): void {
    const nowMs = this.#now()
    const sunk = ((nowMs - address.atMs) / 1_000) * PER_SECOND * factorOf(address)
    address.spent = Math.max(0, address.spent - sunk)
    address.atMs = nowMs
  }

  #hold(address: Address, socket: Socket, letIn: () => void): void {
    const leave = () => {
      if (address.waiting.delete(socket)) this.#waiting -= 1
    }
    const ignore = () => {}
    socket.on('error', ignore).on('close', leave)
    this.#waiting += 1
    address.waiting.set(socket, () => {
      leave()
      socket.off('close', leave).off('error', ignore)
      letIn()
    })
    this.#serveLater(address)
  }

  #serve(address: Address): void {
    for (const [, begin] of address.waiting) {
      if (!this.#pay(address)) break
      begin()
    }
    if (address.waiting.size > 0) this.#serveLater(address)
  }

  #serveLater(address: Address): void {
    if (address.timer !== undefined) return
    const factor = factorOf(address)
    const over = Math.max(1, address.spent - SPENT_MAX * factor)
    const waitMs = (over / (PER_SECOND * factor)) * 1_000
    address.timer = setTimeout(() => {
      address.timer = undefined
      this.#serve(address)
    }, waitMs).unref()
  }

  #forget(address: Address): void {
    clearTimeout(address.timer)
    for (const [socket] of address.waiting) socket.destroy()
  }
}

function factorOf({ known }: Address): number {
  return known > 0 ? KNOWN_FACTOR : 1
}
