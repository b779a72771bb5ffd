/** Fairness (row J20): who has something that may begin waits for one turn of each of the others, however much these have. */
import { expect } from 'vitest'

interface Claimed {
  /** Claims that take of the same queues. */
  readonly by: string
  /** Values of the key of which one might have begun. */
  readonly ready: ReadonlySet<string>
  /** The values of those that did. */
  readonly begun: readonly string[]
}

export class Turns {
  /** How many of others have begun since the first of a value might have. */
  readonly #passedOver = new Map<string, Map<string, number>>()
  readonly #others: number

  /** @param values there are */
  constructor(values: number) {
    this.#others = values - 1
  }

  claimed({ by, ready, begun }: Claimed): void {
    const before = this.#passedOver.get(by)
    const waiting = [...ready].filter((key) => !begun.includes(key))
    const now = new Map(waiting.map((key) => [key, (before?.get(key) ?? 0) + begun.length]))
    this.#passedOver.set(by, now)
    for (const [key, others] of now) {
      expect(others, `begun before the first of ${key}`).toBeLessThanOrEqual(this.#others)
    }
  }

  clear(): void {
    this.#passedOver.clear()
  }
}
