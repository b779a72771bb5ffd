export interface Backoff {
  /** How long to wait before the next attempt: doubled each time up to the maximum, with jitter. */
  nextMs(): number
  /** After a success: the next wait is short again. */
  reset(): void
}

/** Waits lie within the upper half of the doubled time, so that peers do not come back all at once. */
export function createBackoff(delayMsMin: number, delayMsMax: number): Backoff {
  let delayMs = delayMsMin
  return {
    nextMs: () => {
      const currentMs = delayMs
      delayMs = Math.min(delayMs * 2, delayMsMax)
      return currentMs * (0.5 + Math.random() / 2)
    },
    reset: () => {
      delayMs = delayMsMin
    },
  }
}
