import { delayMsMax, type IdleClock, type IdleTimer } from './clock.ts'

// Taken when the module loads: faked ones, as of `vi.useFakeTimers()`, would never fire by themselves.
const { setTimeout } = globalThis
// Browsers have no setImmediate; a timer does the same, only slower.
const { setImmediate = (callback: () => void) => setTimeout(callback, 0) } = globalThis as {
  setImmediate?: (callback: () => void) => unknown
}

/**
 * A clock that stands still until it is moved, for tests of code that attaches idle handlers. Starts at 0.
 * Refuses timers that real ones could not keep with a RangeError. Works beside faked timers too, if they were faked
 * after this module was loaded.
 */
export interface ManualClock extends IdleClock {
  /** How many timers are pending. A table has one at most. */
  readonly pendingTimers: number
  /**
   * Lets `ms` milliseconds pass, 0 by default. Timers fire in order, each at its own time, and what their callbacks
   * set going by promises is done before the next one. Should a callback jump beyond the end, timers started
   * after that wait for the next call: a handler longer than its interval would never let this one return.
   */
  advance(ms?: number): Promise<void>
  /** Lets time pass without giving timers a turn, like a long synchronous computation. */
  jump(ms: number): void
  /** Resolves when `ms` milliseconds have passed on this clock. */
  delay(ms: number): Promise<void>
}

/** Creates a clock that is moved by hand. */
export function createManualClock(): ManualClock {
  return new SteppedClock()
}

interface PendingTimer extends IdleTimer {
  readonly atMs: number
  readonly wake: () => void
}

class SteppedClock implements ManualClock {
  #nowMs = 0
  readonly #timers = new Set<PendingTimer>()

  now(): number {
    return this.#nowMs
  }

  get pendingTimers(): number {
    return this.#timers.size
  }

  startTimer(wake: () => void, delayMs: number): IdleTimer {
    if (delayMs > delayMsMax) throw new RangeError(`delayMs must be at most ${delayMsMax}`)
    return this.#start(wake, delayMs)
  }

  async advance(ms = 0): Promise<void> {
    const untilMs = this.#nowMs + ms
    await promisesSettle()
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#timers.delete(timer)
      this.#nowMs = Math.max(this.#nowMs, timer.atMs)
      timer.wake()
      await promisesSettle()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  jump(ms: number): void {
    this.#nowMs += ms
  }

  delay(ms: number): Promise<void> {
    return new Promise((resolve) => this.#start(resolve, ms))
  }

  #start(wake: () => void, delayMs: number): IdleTimer {
    const cancel = () => void this.#timers.delete(timer)
    const timer: PendingTimer = { atMs: this.#nowMs + Math.max(0, delayMs), wake, cancel }
    this.#timers.add(timer)
    return timer
  }

  /** The earliest timer that is due; of equals the one started first. */
  #next(untilMs: number): PendingTimer | undefined {
    let earliest: PendingTimer | undefined
    for (const timer of this.#timers) {
      if (earliest === undefined || timer.atMs < earliest.atMs) earliest = timer
    }
    return earliest !== undefined && earliest.atMs <= untilMs ? earliest : undefined
  }
}

/** A turn of the real event loop: all promise callbacks that are ready have run when it comes round. */
function promisesSettle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
