/** A hint as it arrives. */
export interface BusMessage {
  /** The subject it was published to, without wildcards. */
  readonly subject: string
  readonly payload: Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

export interface Subscription {
  /** No further message is delivered once this returns. Idempotent. */
  unsubscribe(): void
}

/** `closed`: disposed of by its owner, for good; not an outage. */
export type BusStatus = 'connected' | 'disconnected' | 'closed'

export interface BusStats {
  /** Messages handed to the transport. */
  readonly published: number
  /** Messages thrown away: no connection, disposed, or more waiting than the limit. */
  readonly dropped: number
  /** Messages delivered, counted once for each subscription. */
  readonly received: number
}

/**
 * Carries hints between processes, or within one: small messages that may get lost, each with a
 * sweep behind it (guarantee 4). Subjects follow NATS: tokens between dots; in subscriptions `*`
 * stands for one token, a last `>` for one or more.
 */
export interface Bus extends AsyncDisposable {
  readonly kind: 'nats' | 'in-process'
  /**
   * Sends a hint; never waits, never throws for a lost connection. Throws a TypeError for what can
   * never be sent: a bad subject or header, or more than 1 MiB.
   */
  publish(
    subject: string,
    payload: Uint8Array | string,
    headers?: Readonly<Record<string, string>>,
  ): void
  /**
   * Delivers what is published from now on, in the order of each publisher, never from within
   * `publish`. Survives reconnects. Whoever reads a state after subscribing awaits `flush` first:
   * only then does the server know of the subscription (guarantee 5). An error thrown by
   * `onMessage` is reported and disturbs nobody else. Throws a TypeError for a bad subject.
   */
  subscribe(subject: string, onMessage: (message: BusMessage) => void): Subscription
  /** Resolves when the server has seen all that was asked of it before, or when the connection is lost. */
  flush(): Promise<void>
  readonly status: BusStatus
  /**
   * Tells changes of the status. `connected` comes after all subscriptions are in place again, so a
   * state read then misses no hint.
   */
  onStatusChange(listener: (status: BusStatus) => void): Subscription
  stats(): BusStats
}
