/** How many calls a caller may have open on this process, told apart by user. */
import { Tallies } from '../fairness/mod.ts'
import { Refusal } from './refusal.ts'

/** What one caller has open. Streams are calls with more than one request or answer. */
export type OpenKind = 'calls' | 'streams'

/** About the time in which some of very many calls have ended. */
const RETRY_MS = 250

export class CallLimits {
  readonly #max: Readonly<Record<OpenKind, number>>
  readonly #open = { calls: new Tallies(), streams: new Tallies() }

  constructor(max: Readonly<Record<OpenKind, number>>) {
    this.#max = max
  }

  /** Throws TOO_MANY_CALLS where the caller has as many open as may be. */
  enter(user: string, kind: OpenKind): void {
    const max = this.#max[kind]
    if (this.#open[kind].of(user) >= max) {
      throw new Refusal({
        reason: 'TOO_MANY_CALLS',
        message: `you have ${max} ${kind} open on this process, which is the limit for one caller`,
        metadata: { limit: `caller_${kind}`, max: String(max) },
        retryDelayMs: RETRY_MS,
      })
    }
    this.#open[kind].add(user, 1)
  }

  leave(user: string, kind: OpenKind): void {
    this.#open[kind].add(user, -1)
  }
}
