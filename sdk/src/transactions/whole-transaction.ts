/**
 * The transaction that is under way on a connection, from the outermost begin to its end, whatever is begun inside.
 *
 * 1. BEGIN, COMMIT and ROLLBACK are said once each at most: by the outermost.
 * 2. Once anything inside was rolled back it is doomed, and never commits.
 * 3. The next one begins when this one has ended.
 */
import type { Run } from '../runs/run.ts'
import { TransactionDoomedError } from './errors.ts'
import type { TransactionPort } from './port.ts'
import type { Transaction } from './transaction.ts'

export interface Doom {
  readonly why: string
  readonly at: string
}

export class WholeTransaction {
  readonly begun: Promise<void>
  readonly run: Run | undefined
  /** Those that are not closed, the outermost first. */
  readonly open = new Set<Transaction>()
  readonly #port: TransactionPort
  readonly #ended = Promise.withResolvers<void>()
  #unwatch: (() => void) | undefined
  #doom: Doom | undefined
  #isOver = false
  #isGivenAway = false

  constructor(port: TransactionPort, run: Run | undefined, before: Promise<void> | undefined) {
    this.#port = port
    this.run = run
    this.begun = this.#begin(before)
    this.begun.catch(() => {
      // Whoever begins waits for it.
    })
  }

  /** No statement belongs to it any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Its connection went to others before it was closed. */
  get isGivenAway(): boolean {
    return this.#isGivenAway
  }

  /** Resolves when the connection is free for the next one. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  get doom(): Doom | undefined {
    return this.#doom
  }

  /** The first doom stands. */
  doomBy(doom: Doom): void {
    this.#doom ??= doom
  }

  get refusal(): TransactionDoomedError | undefined {
    return this.#doom && new TransactionDoomedError(this.#doom.why, this.#doom.at)
  }

  async commit(): Promise<void> {
    await this.#endBy(() => this.#port.commit())
  }

  /** Undoes it. What is still open inside finds it doomed. */
  async rollback(doom: Doom): Promise<void> {
    this.doomBy(doom)
    if (this.#isOver) return this.#ended.promise
    await this.#endBy(async () => {
      await this.begun
      await this.#port.rollback()
    })
  }

  async #begin(before: Promise<void> | undefined): Promise<void> {
    if (before !== undefined) await before
    if (!this.#isOver) this.#unwatch = this.#port.watch?.(() => this.#giveAway())
    try {
      await this.#port.begin()
    } catch (error) {
      this.#over()
      this.#ended.resolve()
      throw error
    }
  }

  #giveAway(): Promise<void> {
    this.#isGivenAway = true
    for (const transaction of this.open) transaction.warnOutsideOfRuns()
    return this.rollback({ why: 'its connection was given back before its end', at: '' })
  }

  async #endBy(end: () => Promise<void>): Promise<void> {
    this.#over()
    try {
      await end()
    } finally {
      this.#ended.resolve()
    }
  }

  #over(): void {
    this.#isOver = true
    this.#unwatch?.()
    this.#unwatch = undefined
  }
}
