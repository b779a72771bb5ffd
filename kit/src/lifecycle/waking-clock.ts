/**
 * Steady time that leaves out what nobody was awake for. It goes on only when it is looked at, and by one step at most: a process
 * that was frozen, or whose event loop was held up, has heard nobody meanwhile, and must not take that for their silence.
 */
export class WakingClock {
  readonly #everyMs: number
  #nowMs = 0
  #seenMs = performance.now()

  /** @param everyMs how often it is looked at */
  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** About when the next look will be: what comes before it counts from then on, rather too late than too early. */
  get nextMs(): number {
    return this.#nowMs + this.#everyMs
  }

  /** @param counts false: nobody could be heard since the last look, so that no time has passed */
  look(counts = true): number {
    const seenMs = performance.now()
    if (counts) this.#nowMs += Math.min(seenMs - this.#seenMs, this.#everyMs * 2)
    this.#seenMs = seenMs
    return this.#nowMs
  }
}
