/**
 * How many a second, for each caller: a bucket fills with `perSecond` tokens up to one second's worth. What takes more tokens than
 * there are is let in as long as there are any, and the debt is worked off before the next: so a batch larger than the bucket is
 * possible, and the rate holds all the same.
 */

interface Bucket {
  tokens: number
  /** When that many were in it. */
  atMs: number
}

/** Buckets that are remembered; full ones need not be. */
const BUCKETS_MAX = 10_000

export class TokenBuckets {
  readonly #perSecond: number
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  constructor(perSecond: number, now = () => performance.now()) {
    this.#perSecond = perSecond
    this.#now = now
  }

  /** Takes so many tokens, or none: then so many milliseconds are to be waited. */
  take(caller: string, count: number): number {
    const nowMs = this.#now()
    const bucket = this.#buckets.get(caller)
    const tokens = bucket === undefined ? this.#perSecond : this.#filled(bucket, nowMs)
    if (tokens < 1) return ((1 - tokens) / this.#perSecond) * 1_000
    if (bucket === undefined) {
      if (this.#buckets.size >= BUCKETS_MAX) this.#forgetFull(nowMs)
      this.#buckets.set(caller, { tokens: tokens - count, atMs: nowMs })
    } else {
      bucket.tokens = tokens - count
      bucket.atMs = nowMs
    }
    return 0
  }

  #filled({ tokens, atMs }: Bucket, nowMs: number): number {
    return Math.min(this.#perSecond, tokens + ((nowMs - atMs) / 1_000) * this.#perSecond)
  }

  #forgetFull(nowMs: number): void {
    for (const [caller, bucket] of this.#buckets) {
      if (this.#filled(bucket, nowMs) >= this.#perSecond) this.#buckets.delete(caller)
    }
  }
}
