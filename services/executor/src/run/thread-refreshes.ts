/** The refresh port of a handler thread: what its code refreshes goes by way of the main thread, and so does what others refresh. */
import type { RefreshMessage, RefreshPort } from '@offstage/sdk/values'
import type { RefreshScope } from '../domain/refresh-scope.ts'
import type { RefreshAnswer, ThreadMessage, ThreadOrders } from '../lanes/thread-messages.ts'

/** No store's: no thread takes it for its own. */
const ORIGIN = 'executor'

export class ThreadRefreshes implements RefreshPort {
  readonly #say: (message: ThreadMessage) => void
  readonly #receivers = new Set<(message: RefreshMessage) => void>()
  readonly #asked = new Map<number, PromiseWithResolvers<void>>()
  #asks = 0
  /** Up to here it has heard of everything. */
  #reached = 0

  constructor(say: (message: ThreadMessage) => void) {
    this.#say = say
  }

  publish({ scope }: RefreshMessage): Promise<void> {
    return this.#ask({ scope })
  }

  /** Asks the main thread where it has not heard so far. Of an epoch that there is not, whoever names it, nothing is believed. */
  async reach(epoch: number): Promise<void> {
    if (epoch > this.#reached) await this.#ask({ epoch })
  }

  subscribe(receive: (message: RefreshMessage) => void): Disposable {
    const receiver = (message: RefreshMessage) => receive(message)
    this.#receivers.add(receiver)
    return { [Symbol.dispose]: () => void this.#receivers.delete(receiver) }
  }

  /** Most orders are about nothing of this. What is not there is not walked: a handler may have changed how lists are. */
  obey({ refreshes, refreshAnswers }: ThreadOrders): void {
    if (refreshes !== undefined) {
      for (const scope of refreshes) {
        for (const receive of this.#receivers) receive({ origin: ORIGIN, scope })
      }
      this.#say({ kind: 'refreshed' })
    }
    if (refreshAnswers === undefined) return
    for (const answer of refreshAnswers) this.#settle(answer)
  }

  #ask(what: { readonly scope: RefreshScope } | { readonly epoch: number }): Promise<void> {
    this.#asks += 1
    const id = this.#asks
    const answered = Promise.withResolvers<void>()
    this.#asked.set(id, answered)
    this.#say({ kind: 'refresh', ask: { id, ...what } })
    return answered.promise
  }

  #settle({ id, epoch, fault }: RefreshAnswer): void {
    if (epoch !== undefined) this.#reached = epoch
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    if (fault === undefined) asked?.resolve()
    else asked?.reject(new Error(fault))
  }
}
