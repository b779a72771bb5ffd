/**
 * Refreshes of reusable values on their way to one handler thread. One message is under way at a time: a thread that computes takes
 * none, and however much is refreshed meanwhile waits for it as one message, each scope once, or as a refresh of everything.
 */
import type { RefreshScope } from '../domain/refresh-scope.ts'

/** More are told as a refresh of everything. */
const SCOPES_MAX = 1_000
const EVERYTHING: RefreshScope = { kind: 'all' }

export class RefreshLine {
  readonly #send: (scopes: readonly RefreshScope[]) => void
  readonly #waiting = new Map<string, RefreshScope>()
  #isUnderWay = false

  constructor(send: (scopes: readonly RefreshScope[]) => void) {
    this.#send = send
  }

  tell(scope: RefreshScope): void {
    if (!this.#waiting.has(keyOf(EVERYTHING))) {
      const isTooMuch = scope.kind === 'all' || this.#waiting.size === SCOPES_MAX
      if (isTooMuch) this.#waiting.clear()
      const told = isTooMuch ? EVERYTHING : scope
      this.#waiting.set(keyOf(told), told)
    }
    this.#sendNext()
  }

  /** The thread has taken what was sent. */
  taken(): void {
    this.#isUnderWay = false
    this.#sendNext()
  }

  #sendNext(): void {
    if (this.#isUnderWay || this.#waiting.size === 0) return
    const scopes = [...this.#waiting.values()]
    this.#waiting.clear()
    this.#isUnderWay = true
    this.#send(scopes)
  }
}

function keyOf(scope: RefreshScope): string {
  return JSON.stringify(scope)
}
