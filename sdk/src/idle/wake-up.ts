import { delayMsMax, type IdleClock, type IdleTimer } from './clock.ts'

/**
 * The one timer of a table. It may come earlier than asked for last, never later: a wake-up too many
 * costs less than starting a timer anew each time a blocking call begins and ends. One further off than
 * timers can take comes in stages.
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
