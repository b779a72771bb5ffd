/**
 * Who may attach now: one stream of a session at a time, and few in all, so that attaching never takes the connections that
 * renewals need, however many streams are opened.
 *
 * Invariants:
 *  1. Of the streams of a session that wait, only the newest does; the others are refused, for they have been given up.
 *  2. A stream that ends while it waits takes no turn.
 */

import type { SessionKey } from '../domain/ids.ts'
import { attachElsewhere } from '../refusals.ts'

interface Waiting {
  readonly begin: () => void
  readonly refuse: (reason: unknown) => void
}

export class AttachTurns {
  readonly #max: number
  readonly #busy = new Set<SessionKey>()
  /** By session, in the order of arrival. */
  readonly #waiting = new Map<SessionKey, Waiting>()

  constructor(max: number) {
    this.#max = max
  }

  async take<T>(session: SessionKey, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#turn(session, signal)
    try {
      return await work()
    } finally {
      this.#busy.delete(session)
      this.#admit()
    }
  }

  async #turn(session: SessionKey, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#waiting.get(session)?.refuse(attachElsewhere())
    const turn = Promise.withResolvers<void>()
    const waiting = { begin: turn.resolve, refuse: turn.reject }
    this.#waiting.delete(session)
    this.#waiting.set(session, waiting)
    const giveUp = () => {
      if (this.#waiting.get(session) === waiting) this.#waiting.delete(session)
      turn.reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    this.#admit()
    try {
      await turn.promise
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  #admit(): void {
    for (const [session, { begin }] of this.#waiting) {
      if (this.#busy.size >= this.#max) return
      if (this.#busy.has(session)) continue
      this.#waiting.delete(session)
      this.#busy.add(session)
      begin()
    }
  }
}
