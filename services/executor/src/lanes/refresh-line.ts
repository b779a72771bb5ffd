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
  #underWay = 0

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

  /** All that has not been sent yet, to go with something else. */
  take(): readonly RefreshScope[] {
    const scopes = [...this.#waiting.values()]
    this.#waiting.clear()
    if (scopes.length > 0) this.#underWay += 1
    return scopes
  }

  /** The thread has taken what was sent. */
  taken(): void {
    this.#underWay = Math.max(0, this.#underWay - 1)
    this.#sendNext()
  }

  #sendNext(): void {
    if (this.#underWay === 0 && this.#waiting.size > 0) this.#send(this.take())
  }
}

function keyOf(scope: RefreshScope): string {
  return JSON.stringify(scope)
}
