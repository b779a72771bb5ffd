/**
 * The bus over NATS.
 *
 * A supervisor holds at most one connection. The client library reconnects by itself once a
 * connection has been made; before that, and when it gives a connection up (credentials refused,
 * server too old), the supervisor dials again, with growing waits, until the bus is disposed of.
 *
 * Invariants:
 *  1. A missing server is never fatal: `connectNats` resolves disconnected and goes on trying.
 *  2. `connected` is told only after the server has confirmed all subscriptions.
 *  3. What is published while disconnected is dropped and counted, never kept: a late hint is noise.
 *  4. Why a server that was lost does not take us back is reported, if trying again does not mend it: the library keeps that to itself.
 *  5. What is on its way is bounded (see Unconfirmed); beyond that messages are dropped.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { NatsConnection, Subscription as NatsSubscription } from '@nats-io/transport-node'
import { createBackoff } from './backoff.ts'
import type { Bus, BusMessage, BusStatus } from './bus.ts'
import { createMessage } from './message.ts'
import { nativeHeaders } from './native-headers.ts'
import { checkVersion, dialNats, isRefusal } from './nats-connection.ts'
import { NatsInquiry } from './nats-inquiry.ts'
import type { NatsFiles } from './nats-security.ts'
import { checkPattern } from './pattern.ts'
import { createStatus } from './status.ts'
import { confirmed, type Link, Unconfirmed } from './unconfirmed.ts'

export interface NatsBusOptions {
  /** `nats://[user:password@|token@]host[:port]` or `tls://…`; several with commas between. */
  readonly url: string
  /** Certificates to make sure of the server with, and logins; read for each connection. */
  readonly files?: NatsFiles
  /** Shown in the server's list of connections. */
  readonly name?: string
  /** How long one attempt may take. Default 5000. */
  readonly connectTimeoutMs?: number
  /** Told of errors of handlers, listeners, the server and the network. Default: nobody is. */
  onError?(error: unknown): void
}

interface Subscriber {
  readonly subject: string
  readonly onMessage: (message: BusMessage) => void
  native?: NatsSubscription
}

const RECONNECT_DELAY_MS_MIN = 100
const RECONNECT_DELAY_MS_MAX = 5_000
const DRAIN_TIMEOUT_MS = 2_000

/**
 * Connects to NATS. Resolves disconnected when no server answers, and goes on trying. Rejects when
 * a server answers at once but is older than 2.9 (NatsVersionError), refuses the credentials, or is not the one it should be.
 */
export async function connectNats(options: NatsBusOptions): Promise<Bus> {
  const bus = new NatsBus(options)
  await bus.open()
  return bus
}

class NatsBus implements Bus {
  readonly kind = 'nats'
  readonly #options: NatsBusOptions
  readonly #connectTimeoutMs: number
  readonly #status = createStatus('disconnected', (error) => this.#report(error))
  readonly #subscribers = new Set<Subscriber>()
  readonly #counts = { published: 0, dropped: 0, received: 0 }
  readonly #backoff = createBackoff(RECONNECT_DELAY_MS_MIN, RECONNECT_DELAY_MS_MAX)
  readonly #closing = new AbortController()
  #reconnectDelayMs = 0
  #link: Link | undefined
  #supervised: Promise<void> = Promise.resolve()
  readonly #unconfirmed = new Unconfirmed()
  readonly #inquiry = new NatsInquiry(
    () => this.#dial(),
    (error) => this.#report(error),
    RECONNECT_DELAY_MS_MAX,
  )

  constructor(options: NatsBusOptions) {
    this.#options = options
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 5_000
  }

  get status(): BusStatus {
    return this.#status.current
  }

  async open(): Promise<void> {
    const first = Promise.withResolvers<void>()
    this.#supervised = this.#supervise(first)
    // Twice: one attempt, and the confirmation of a server that may say nothing more.
    await Promise.race([
      first.promise,
      pause(2 * this.#connectTimeoutMs, undefined, { ref: false }),
    ])
  }

  onStatusChange(listener: (status: BusStatus) => void) {
    return this.#status.listen(listener)
  }

  publish(subject: string, payload: Uint8Array | string, headers?: BusMessage['headers']): void {
    const message = createMessage(subject, payload, headers)
    const link = this.#link
    if (this.status !== 'connected' || link === undefined || this.#unconfirmed.isFull) {
      this.#counts.dropped += 1
      return
    }
    try {
      link.connection.publish(subject, message.payload, { headers: nativeHeaders(message.headers) })
      this.#counts.published += 1
      this.#unconfirmed.add(message, link)
    } catch (error) {
      this.#counts.dropped += 1
      this.#report(error)
    }
  }

  subscribe(subject: string, onMessage: (message: BusMessage) => void) {
    checkPattern(subject)
    const subscriber: Subscriber = { subject, onMessage }
    this.#subscribers.add(subscriber)
    if (this.#link !== undefined) this.#attach(subscriber, this.#link.connection)
    return {
      unsubscribe: () => {
        if (this.#subscribers.delete(subscriber)) subscriber.native?.unsubscribe()
      },
    }
  }

  async flush(): Promise<void> {
    if (this.#link !== undefined && this.status === 'connected') await confirmed(this.#link)
  }

  stats() {
    return { ...this.#counts }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const link = this.#link
    const draining = this.status === 'connected' ? link?.connection.drain() : undefined
    this.#closing.abort()
    this.#status.set('closed')
    if (draining !== undefined) await withinDrainTimeout(draining)
    link?.gone.abort()
    await link?.connection.close()
    await this.#supervised
    await this.#inquiry.ended()
    this.#subscribers.clear()
  }

  async #supervise(first: PromiseWithResolvers<void>): Promise<void> {
    let told = ''
    for (let attempt = 1; !this.#closing.signal.aborted; attempt += 1) {
      try {
        const connection = await this.#dial()
        told = ''
        await this.#serve(connection, first.resolve)
      } catch (error) {
        if (attempt === 1 && isRefusal(error)) {
          first.reject(error)
          return
        }
        // A server that stays away is told once, not at each attempt.
        if (String(error) !== told) this.#report(error)
        told = String(error)
      }
      first.resolve()
      const { signal } = this.#closing
      await pause(this.#backoff.nextMs(), undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  #dial(): Promise<NatsConnection> {
    const { url, name, files } = this.#options
    return dialNats({
      url,
      name,
      files,
      connectTimeoutMs: this.#connectTimeoutMs,
      reconnectDelayMs: () => this.#reconnectDelayMs,
    })
  }

  /** Resolves when the library has given the connection up; rejects with its reason, if any. */
  async #serve(connection: NatsConnection, onReady: () => void): Promise<void> {
    if (this.#closing.signal.aborted) return connection.close()
    const changes = connection.status()
    const link = { connection, gone: new AbortController() }
    this.#link = link
    for (const subscriber of this.#subscribers) this.#attach(subscriber, connection)
    await this.#welcome(link)
    onReady()
    for await (const change of changes) {
      if (change.type === 'disconnect') this.#status.set('disconnected')
      if (change.type === 'reconnecting') {
        this.#reconnectDelayMs = this.#backoff.nextMs()
        this.#inquiry.begin()
      }
      if (change.type === 'reconnect') await this.#welcome(link)
      if (change.type === 'error') this.#report(change.error)
    }
    this.#link = undefined
    this.#status.set('disconnected')
    link.gone.abort()
    const reason = await connection.closed()
    if (reason instanceof Error) throw reason
  }

  /** A server has just answered: is it one we work with, and does it know our subscriptions? */
  async #welcome(link: Link): Promise<void> {
    try {
      checkVersion(link.connection)
    } catch (error) {
      this.#report(error)
      link.connection.close().catch((failure) => this.#report(failure))
      return
    }
    if (!(await confirmed(link)) || this.#closing.signal.aborted) return
    this.#backoff.reset()
    this.#reconnectDelayMs = 0
    this.#unconfirmed.forget()
    this.#inquiry.forget()
    this.#status.set('connected')
  }

  #attach(subscriber: Subscriber, connection: NatsConnection): void {
    subscriber.native = connection.subscribe(subscriber.subject, {
      callback: (error, message) => {
        if (error !== null) return this.#report(error)
        this.#counts.received += 1
        const headers: Record<string, string> = {}
        for (const [name, values] of message.headers ?? []) headers[name] = values[0] ?? ''
        try {
          subscriber.onMessage({ subject: message.subject, payload: message.data, headers })
        } catch (thrown) {
          this.#report(thrown)
        }
      },
    })
  }

  #report(error: unknown): void {
    this.#options.onError?.(error)
  }
}

async function withinDrainTimeout(draining: Promise<void>): Promise<void> {
  const settled = draining.catch(() => undefined)
  const timeout = new AbortController()
  const late = pause(DRAIN_TIMEOUT_MS, undefined, { signal: timeout.signal }).catch(() => undefined)
  await Promise.race([settled, late])
  timeout.abort()
}
