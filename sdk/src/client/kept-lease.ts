/**
 * What lives for as long as it is renewed: at a third of its length. Renewals that fail are repeated until it has run out by this
 * client's clock, which counts from when the last that succeeded was asked for, and so never ends later than the service's; how
 * the two are set does not matter. Then it is lost, and its signal says so.
 */
import { OffstageError } from '../grpc/mod.ts'
import type { IdleClock, IdleTimer } from '../idle/clock.ts'
import type { CallTerms } from './call-terms.ts'

export interface LeaseTerms {
  /** For people, such as `lease 8f…`. */
  readonly what: string
  readonly leaseMs: number
  /** When what granted it was asked for. */
  readonly askedAtMs: number
  readonly clock: IdleClock
  renew(terms: CallTerms): Promise<unknown>
  end(): Promise<unknown>
  /** The reason by which a renewal is told that it is over. */
  readonly goneReason: string
}

export class KeptLease {
  readonly #terms: LeaseTerms
  readonly #lost = new AbortController()
  #renewedAtMs: number
  #timer: IdleTimer | undefined
  #ending: Promise<void> | undefined

  /** Its renewals do not keep the process alive. */
  constructor(terms: LeaseTerms) {
    this.#terms = terms
    this.#renewedAtMs = terms.askedAtMs
    this.#renewLater()
  }

  get signal(): AbortSignal {
    return this.#lost.signal
  }

  get #leftMs(): number {
    const { clock, leaseMs } = this.#terms
    return this.#renewedAtMs + leaseMs - clock.now()
  }

  #renewLater(): void {
    const { clock, leaseMs } = this.#terms
    const delayMs = Math.max(0, Math.min(leaseMs / 3, this.#leftMs))
    this.#timer = clock.startTimer(() => void this.#renew(), delayMs, false)
  }

  async #renew(): Promise<void> {
    const { clock, leaseMs, goneReason } = this.#terms
    const leftMs = this.#leftMs
    if (leftMs <= 0) return this.#lose(undefined)
    const askedAtMs = clock.now()
    try {
      await this.#terms.renew({ deadlineMs: Math.min(leaseMs / 3, leftMs), attempts: 1 })
      this.#renewedAtMs = askedAtMs
    } catch (error) {
      const gone = error instanceof OffstageError && error.reason === goneReason
      if (gone || this.#leftMs <= 0) return this.#lose(error)
    }
    if (this.#ending === undefined) this.#renewLater()
  }

  #lose(cause: unknown): void {
    if (this.#ending === undefined) {
      this.#lost.abort(new Error(`${this.#terms.what} was lost`, { cause }))
    }
  }

  /** Idempotent. */
  end(): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    this.#timer?.cancel()
    await this.#terms.end()
  }
}
