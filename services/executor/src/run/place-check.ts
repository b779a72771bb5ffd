import type { AttemptOrder } from '../domain/attempt.ts'
import { AttemptFault } from '../domain/fault.ts'
import type { AttemptContext } from './job-context.ts'
import { now, OwnMap } from './own-copies.ts'

/** Jobs of one scope often come in numbers; it is asked for once in this time. */
const SCOPE_KNOWN_MS = 5_000
const SCOPES_KNOWN_MAX = 1_000

/**
 * Looks, before a handler runs, whether its results have a place to go: a job waits, and an address may be deleted or a
 * scope closed meanwhile. Only what storage knows to be wrong fails the attempt; one that cannot be asked fails none.
 */
export class PlaceCheck {
  /** Until when a scope counts as open, by its owner and id. */
  #knownUntil = new OwnMap<string, number>()

  /** Undefined where there is nothing to ask; rejects when a place is wrong. */
  check(order: AttemptOrder, context: AttemptContext): Promise<void> | undefined {
    const { resultAddress, additionalResultAddress } = order
    const scope = this.#isKnown(order) ? undefined : order.scope
    const place = scope ?? resultAddress ?? additionalResultAddress
    if (place === undefined) return undefined
    return this.#ask(order, context)
  }

  async #ask(order: AttemptOrder, { ownersClient, signal }: AttemptContext): Promise<void> {
    const { scope, resultAddress, additionalResultAddress } = order
    const wrong = await ownersClient.findWrongPlace(
      { scope, resultAddress, additionalResult: additionalResultAddress },
      signal,
    )
    if (wrong !== undefined) {
      const message = `The results of the job have no place to go, so it was not run: ${wrong.message}`
      throw new AttemptFault(wrong.reason, message, { retryable: false, cause: wrong })
    }
    if (scope !== undefined) this.#know(keyOf(order))
  }

  #isKnown(order: AttemptOrder): boolean {
    if (order.scope === undefined) return true
    const until = this.#knownUntil.get(keyOf(order)) ?? Number.NEGATIVE_INFINITY
    return now() < until
  }

  #know(key: string): void {
    if (this.#knownUntil.size >= SCOPES_KNOWN_MAX) this.#knownUntil = new OwnMap()
    this.#knownUntil.set(key, now() + SCOPE_KNOWN_MS)
  }
}

function keyOf({ owner = '', scope = '' }: AttemptOrder): string {
  return `${owner} ${scope}`
}
