/**
 * One computation and everybody who waits for it (row C7).
 *
 * Invariants:
 * 1. A caller who aborts leaves alone; the computation is aborted when the last one has left, with
 *    the last one's reason.
 * 2. A caller without a signal never leaves.
 * 3. `isDetached` is set once, when the place it was computed for is dropped (a refresh, a closed
 *    session): callers who wait still get the outcome, nobody new joins, nothing is remembered.
 */

import type { Computing } from './computing.ts'

/** What a computation came to, as far as those who wait must know. */
export interface Outcome {
  readonly value: unknown
  /** False when the value goes to the caller that computed it alone (row C5). */
  readonly isShareable: boolean
  /** Callers other than the first get copies of it. */
  readonly original?: { readonly value: unknown }
}

const NOT_STARTED: Promise<never> = new Promise(() => {})

export class Flight {
  /** Rejects with the computation's error. */
  outcome: Promise<Outcome> = NOT_STARTED
  isDetached = false
  /** Set when everybody has left: the outcome reaches nobody. */
  isAbandoned = false
  /** Set when the outcome is decided: from then on there is nothing left to abort. */
  hasLanded = false
  readonly computing: Computing
  /** Absent when the first caller gave no signal: then the function cannot be told to stop. */
  readonly controller: AbortController | undefined
  /** Whether every outcome is shareable as it is, so that one promise can serve many callers. */
  readonly #isAlwaysShareable: boolean
  #shared: Promise<unknown> | undefined
  /**
   * Makes of the outcome what a caller gets who did not start the computation; one for all without
   * a signal.
   */
  readAsGuest: (outcome: Outcome, signal?: AbortSignal) => unknown = ({ value }) => value
  /** Called when the last waiting caller has left. */
  onAbandoned: () => void = () => {}
  #waiting = 0

  constructor(
    computing: Computing,
    controller: AbortController | undefined,
    isAlwaysShareable: boolean,
  ) {
    this.computing = computing
    this.controller = controller
    this.#isAlwaysShareable = isAlwaysShareable
  }

  /** The result for a caller who did not start the computation and cannot leave. */
  joinAsGuest(): Promise<unknown> {
    this.#waiting++
    if (!this.#isAlwaysShareable) return this.outcome.then(this.readAsGuest)
    this.#shared ??= this.outcome.then(this.readAsGuest)
    return this.#shared
  }

  /** The result for one caller, or a rejection with that caller's own abort reason. */
  join(read: (outcome: Outcome) => unknown, signal: AbortSignal | undefined): Promise<unknown> {
    this.#waiting++
    if (signal === undefined) return this.outcome.then(read)
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(signal.reason)
        if (--this.#waiting === 0) this.#abandon(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.outcome
        .then(read)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', leave))
      if (signal.aborted) leave() // while the function ran its synchronous part
    })
  }

  #abandon(reason: unknown): void {
    if (this.hasLanded || this.controller === undefined) return
    this.isAbandoned = true
    this.onAbandoned()
    this.controller.abort(reason)
  }
}
