/**
 * One begin and its end (row E2). Those inside another count: it is the outermost that commits.
 *
 * 1. It is closed once, by its commit or rollback, by code of the run that began it; what that left open is rolled back at its end.
 * 2. A commit that resolves as the outermost has committed; one inside says nothing but that its part is done.
 * 3. A rollback after a commit that failed is nothing: there is nothing left to undo.
 */
import { warnOfLeftOpen } from '../runs/left-open.ts'
import { firstFrame, placeOfCall } from '../runs/place.ts'
import { currentRun, type Opened, type Run } from '../runs/run.ts'
import { TransactionNotOpenError } from './errors.ts'
import type { WholeTransaction } from './whole-transaction.ts'

const WHAT = 'a transaction'

type State = 'open' | 'committed' | 'failed' | 'rolled back'

export class Transaction implements AsyncDisposable {
  readonly #whole: WholeTransaction
  readonly #run: Run | undefined
  readonly openedAt: string
  readonly #opened: Opened | undefined
  /** Whether its end is that of the whole. */
  readonly isOutermost: boolean
  readonly begun: Promise<void>
  #state: State = 'open'

  constructor(whole: WholeTransaction, run: Run | undefined, openedAt: string) {
    this.#whole = whole
    this.#run = run
    this.openedAt = openedAt
    this.isOutermost = whole.open.size === 0
    whole.open.add(this)
    const close = () => this.#abandon()
    this.#opened = run?.opened({ what: WHAT, close, openedAt })
    this.begun = this.#begin()
  }

  /**
   * Commits, where it is the outermost.
   *
   * @throws TransactionDoomedError where anything inside was rolled back, or is still open: all of it is rolled back then;
   *   TransactionNotOpenError where it is closed already, or another run began it; what the database says
   */
  async commit(): Promise<void> {
    this.#checkIsOurs()
    const unfinished = this.isOutermost
      ? [...this.#whole.open].find((it) => it !== this)
      : undefined
    this.#close('failed')
    if (unfinished !== undefined) {
      const why = 'one that was begun inside of it is still open'
      this.#whole.doomBy({ why, at: unfinished.openedAt })
    }
    const { refusal, doom } = this.#whole
    if (refusal !== undefined && doom !== undefined) {
      if (this.isOutermost) await this.#whole.rollback(doom)
      throw refusal
    }
    if (this.isOutermost) await this.#whole.commit()
    this.#state = 'committed'
  }

  /**
   * Undoes it. Inside another one that is doomed by it: what was done cannot be undone in part, and its commit fails.
   *
   * @throws TransactionNotOpenError where it is closed already, or another run began it
   */
  async rollback(): Promise<void> {
    if (this.#state === 'failed') return
    this.#checkIsOurs()
    await this.#rollBack({ why: 'it was rolled back inside', at: placeOfCall() })
  }

  /** Rolls it back where it is still open. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'open') await this.rollback()
  }

  /** Its connection goes to others: no end of a run will tell it. */
  warnOutsideOfRuns(): void {
    if (this.#run !== undefined) return
    const leftOpen = [{ what: WHAT, openedAt: this.openedAt }]
    warnOfLeftOpen({ run: 'code that belongs to no run', leftOpen })
  }

  async #begin(): Promise<void> {
    try {
      await this.#whole.begun
    } catch (error) {
      this.#close('failed')
      throw error
    }
  }

  /** At the end of its run. */
  async #abandon(): Promise<void> {
    const why = `the run ${this.#run?.name} ended with one inside still open`
    await this.#rollBack({ why, at: this.openedAt })
  }

  async #rollBack(doom: { readonly why: string; readonly at: string }): Promise<void> {
    this.#close('rolled back')
    if (this.isOutermost) await this.#whole.rollback(doom)
    else this.#whole.doomBy(doom)
  }

  #close(state: State): void {
    this.#state = state
    this.#whole.open.delete(this)
    // Given away before its end it is told all the same.
    if (!this.#whole.isGivenAway) this.#opened?.closed()
  }

  #checkIsOurs(): void {
    const begun = `begun ${firstFrame(this.openedAt)}`
    if (this.#state !== 'open') {
      throw new TransactionNotOpenError(
        `the transaction ${begun} is closed already: it ${this.#state === 'rolled back' ? 'was' : 'has'} ${this.#state}`,
      )
    }
    const run = currentRun()
    if (run === undefined || run === this.#run) return
    const whose = this.#run === undefined ? 'outside of any run' : `in the run ${this.#run.name}`
    throw new TransactionNotOpenError(
      `the run ${run.name} has not begun the transaction: it was ${begun}, ${whose}, and is to be closed there`,
    )
  }
}
