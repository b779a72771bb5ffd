import type { IdleClock, IdleTimer } from './clock.ts'

/** The longest delay timers take; more overflows and fires at once. A wake-up further off comes in stages. */
const delayMsMax = 2 ** 31 - 1

/**
 * The one timer of a table. It may come earlier than asked for last, never later: a wake-up too many
 * costs less than starting a timer anew each time a blocking call begins and ends.
 */
export class WakeUp {
  readonly #clock: IdleClock
  readonly #keepAlive: boolean
  readonly #wake: () => void
  #pending: { readonly timer: IdleTimer; readonly atMs: number } | undefined

  constructor(clock: IdleClock, keepAlive: boolean, wake: () => void) {
    this.#clock = clock
    this.#keepAlive = keepAlive
    this.#wake = wake
  }

  /** Makes sure a wake-up comes at `atMs` at the latest, or as soon as possible if that is past. */
  noLaterThan(atMs: number): void {
    if (this.#pending !== undefined && this.#pending.atMs <= atMs) return
    this.cancel()
    const delayMs = Math.min(Math.max(0, Math.ceil(atMs - this.#clock.now())), delayMsMax)
    const timer = this.#clock.startTimer(() => this.#fire(), delayMs, this.#keepAlive)
    this.#pending = { timer, atMs }
  }

  cancel(): void {
    this.#pending?.timer.cancel()
    this.#pending = undefined
  }

  #fire(): void {
    this.#pending = undefined
    this.#wake()
  }
}
