import { setImmediate as othersTurn } from 'node:timers/promises'
import type { Violation } from '@offstage/proto/field-rules'
import { type Check, compileCheck } from './compile-check.ts'

const KEPT_MAX = 1_000
const KEPT_CHARACTERS_MAX = 4 * 1024 * 1024
/** What checks may take before others have their turn. */
const TURN_MS_MAX = 20

/** The checks of the schemas used last, each compiled once, whichever methods have it. */
export class Checks {
  readonly #keptMax: number
  readonly #kept = new Map<string, Check>()
  #characters = 0
  #busyMs = 0
  #turn: Promise<void> = Promise.resolve()

  constructor(keptMax = KEPT_MAX) {
    this.#keptMax = keptMax
  }

  get size(): number {
    return this.#kept.size
  }

  /** What is wrong with parameters of so many bytes; undefined where nothing is known to be. */
  violationsOf(schema: string, value: unknown, bytes: number): readonly Violation[] | undefined {
    return this.timed(() => this.#checkOf(schema)(value, bytes))
  }

  /** What else is found out about a start, counted as a check is. */
  timed<T>(run: () => T): T {
    const start = performance.now()
    try {
      return run()
    } finally {
      this.#busyMs += performance.now() - start
    }
  }

  /** To be awaited before a check, where there is one: many that take long, one after the other, would hold up all else. */
  turn(): Promise<void> | undefined {
    if (this.#busyMs < TURN_MS_MAX) return undefined
    this.#turn = this.#turn.then(async () => {
      await othersTurn()
      this.#busyMs = 0
    })
    return this.#turn
  }

  #checkOf(schema: string): Check {
    const kept = this.#kept.get(schema)
    if (kept !== undefined) {
      // Moves to the end, as the one used last.
      this.#kept.delete(schema)
      this.#kept.set(schema, kept)
      return kept
    }
    const made = compileCheck(schema)
    this.#kept.set(schema, made)
    this.#characters += schema.length
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#keptMax && this.#characters <= KEPT_CHARACTERS_MAX) break
      this.#kept.delete(oldest)
      this.#characters -= oldest.length
    }
    return made
  }
}
