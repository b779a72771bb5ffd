/**
 * Refreshing: dropping remembered values because what they were computed from has changed (row C6).
 * Within a process at once; in other processes through the port.
 */

/** What to drop. Parameters as text (`paramsToText`), so that a message can leave the process. */
export type RefreshScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'params'; readonly name: string; readonly params: string }
  | { readonly kind: 'tag'; readonly tag: string }

/** One refresh on its way to other processes. JSON-safe. */
export interface RefreshMessage {
  /** Identifier of the store that began it, which ignores its own message coming back. */
  readonly origin: string
  readonly scope: RefreshScope
}

/**
 * Carries refreshes between processes. Delivery at least once, in any order: a refresh received
 * twice is harmless. A lost one leaves old values until they age out, so an adapter that loses its
 * connection delivers `{ kind: 'all' }` when it is back.
 */
export interface RefreshPort {
  /** Resolves when the message is accepted; rejects when it is not. */
  publish(message: RefreshMessage): Promise<void>
  /**
   * Resolves when all that was refreshed up to an epoch of the namespace has been received. Absent: there are no epochs.
   */
  reach?(epoch: number): Promise<void>
  /** Calls `receive` for every message, possibly one's own too, until disposed. */
  subscribe(receive: (message: RefreshMessage) => void): Disposable
}

/** Connects stores of one process; what tests use, and the model for adapters. */
export function createInProcessRefresh(): RefreshPort {
  const receivers = new Set<(message: RefreshMessage) => void>()
  return {
    async publish(message) {
      for (const receive of receivers) receive(message)
    },
    subscribe(receive) {
      // wrapped, so that the same function subscribed twice is two subscriptions
      const receiver = (message: RefreshMessage) => receive(message)
      receivers.add(receiver)
      return { [Symbol.dispose]: () => void receivers.delete(receiver) }
    },
  }
}
