/**
 * Rates (row J20), told twice. {@link Buckets} say how many may begin now. {@link Windows} say what that is for: in no window of time
 * more begin than the burst and what flows in within it.
 */
import { expect } from 'vitest'
import type { Limits, Rate } from './model.ts'

/** All of a method together, or those of one value of its key. */
const named = (key: string | undefined) => (key === undefined ? 'all' : `of ${key}`)

interface Level {
  readonly tokens: number
  readonly hour: number
}

export class Buckets {
  readonly #levels = new Map<string, Level>()

  tokens(rate: Rate | undefined, now: number, key?: string): number {
    if (rate === undefined) return Number.POSITIVE_INFINITY
    const { tokens, hour } = this.#levels.get(named(key)) ?? { tokens: rate.burst, hour: now }
    return Math.min(rate.burst, tokens + ((now - hour) * rate.count) / rate.hours)
  }

  take(rate: Rate | undefined, now: number, key?: string): void {
    if (rate === undefined) return
    this.#levels.set(named(key), { tokens: this.tokens(rate, now, key) - 1, hour: now })
  }

  /** A clock that was put back adds nothing, and takes nothing. */
  settle(now: number): void {
    for (const [name, { tokens, hour }] of this.#levels) {
      if (hour > now) this.#levels.set(name, { tokens, hour: now })
    }
  }

  /** Of what has no rate, or would be full by now however empty it was. */
  forget(limits: Limits | undefined, now: number): void {
    for (const [name, { hour }] of this.#levels) {
      const rate = (name === named(undefined) ? limits?.whole : limits?.perKey)?.rate
      if (rate === undefined || hour + (rate.burst * rate.hours) / rate.count <= now) {
        this.#levels.delete(name)
      }
    }
  }
}

export class Windows {
  /** How much time had gone by in all when each began, under the limits as they are. */
  readonly #begun = new Map<string, number[]>()

  /** Windows do not reach back to other limits. */
  clear(): void {
    this.#begun.clear()
  }

  begins({ whole, perKey }: Limits, passedHours: number, key: string): void {
    this.#note(whole?.rate, passedHours)
    this.#note(perKey?.rate, passedHours, key)
  }

  #note(rate: Rate | undefined, passedHours: number, key?: string): void {
    if (rate === undefined) return
    const begun = this.#begun.get(named(key)) ?? []
    begun.push(passedHours)
    this.#begun.set(named(key), begun)
    for (const [place, from] of begun.entries()) {
      const flown = ((passedHours - from) * rate.count) / rate.hours
      expect(begun.length - place, `starts ${named(key)} since ${from}`).toBeLessThanOrEqual(
        Math.floor(rate.burst + flown),
      )
    }
  }
}
