/** The longest delay timers take, in milliseconds: with more, those of Node and browsers fire at once. */
export const delayMsMax = 2 ** 31 - 1

/** Time as the table sees it: replace it to make a test deterministic. */
export interface IdleClock {
  /** Milliseconds since any fixed moment; never goes back. */
  now(): number
  /**
   * Calls `wake` once, `delayMs` from now: 0 to 2^31 - 1, as timers take no more. Not synchronously, even at 0.
   * `keepAlive` says whether a pending timer keeps the process running, where there is such a thing.
   */
  startTimer(wake: () => void, delayMs: number, keepAlive: boolean): IdleTimer
}

/** A pending timer. */
export interface IdleTimer {
  /** Nothing when it has fired already. */
  cancel(): void
}

/**
 * The machine's monotonic clock, in Node and in browsers. It ticks in whole milliseconds, so that what is
 * attached side by side is due side by side and shares a wake-up.
 */
export const systemClock: IdleClock = {
  now: () => Math.floor(performance.now()),
  startTimer(wake, delayMs, keepAlive) {
    const timer = setTimeout(wake, delayMs)
    if (!keepAlive) unref(timer)
    return { cancel: () => clearTimeout(timer) }
  },
}

/** Node's timers are objects with `unref`; a browser's are numbers, and there is nothing to keep alive. */
function unref(timer: unknown): void {
  if (typeof timer !== 'object' || timer === null || !('unref' in timer)) return
  if (typeof timer.unref === 'function') timer.unref()
}
