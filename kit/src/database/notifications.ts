/**
 * What PostgreSQL tells by NOTIFY, heard over a connection of its own. Hints: what is said while there is no connection is not
 * heard, and behind a pooler that lends connections for single transactions nothing is. Whoever listens has a rhythm behind it.
 *
 * Invariants:
 *  1. While started there is one connection, or one is being made, or the pause before the next try.
 *  2. One that has gone silent is found out by asking it something, and replaced.
 */
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { createService, type Service } from '../lifecycle/mod.ts'
import { clientsOf, type PostgresLogin } from './postgres-client.ts'

export interface NotificationsOptions extends PostgresLogin {
  /** What pg_stat_activity shows. */
  readonly applicationName: string
  /** Plain names. */
  readonly channels: readonly string[]
  /** How often the connection is asked whether it is there. Default 15 000. */
  readonly askEveryMs?: number
  /** How long it may take to answer. Default 5 000. */
  readonly answerMs?: number
  /** Must not throw. */
  onNotification(channel: string, payload: string): void
  /** Told of each connection that broke or could not be made. */
  onError(error: unknown): void
}

const CONNECT_MS = 10_000
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 10_000

/** Started at once: nobody waits for the connection. */
export function createNotifications(options: NotificationsOptions): Service {
  const stopping = new AbortController()
  let listening: Promise<void> | undefined
  return createService({
    name: 'notifications',
    async start() {
      listening = listenAgain(options, stopping.signal)
    },
    async stop() {
      stopping.abort()
      await listening
    },
  })
}

async function listenAgain(options: NotificationsOptions, signal: AbortSignal): Promise<void> {
  let retryMs = RETRY_MS_MIN
  while (!signal.aborted) {
    const connected = () => {
      retryMs = RETRY_MS_MIN
    }
    await listen(options, signal, connected).catch((error) => {
      if (!signal.aborted) options.onError(error)
    })
    await pause(retryMs * (1 - Math.random() / 2), undefined, { signal, ref: false }).catch(
      () => {},
    )
    retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)
  }
}

/** Until the connection breaks, which it rejects with, or the signal aborts. */
async function listen(
  options: NotificationsOptions,
  signal: AbortSignal,
  connected: () => void,
): Promise<void> {
  const { channels, applicationName, onNotification } = options
  const { askEveryMs = 15_000, answerMs = 5_000 } = options
  const { Client, ...login } = clientsOf(options)
  const client = new Client({
    ...login,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: answerMs,
    keepAlive: true,
  })
  const ended = Promise.withResolvers<void>()
  // Nobody waits for it before the connection is there.
  ended.promise.catch(() => {})
  const stop = () => ended.resolve()
  signal.addEventListener('abort', stop, { once: true })
  client.on('error', ended.reject)
  client.on('end', () => ended.reject(new Error('the server has closed the connection')))
  client.on('notification', ({ channel, payload = '' }) => onNotification(channel, payload))
  try {
    await Promise.race([client.connect(), ended.promise])
    for (const channel of channels) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`)
    connected()
    while (!signal.aborted) {
      const wake = new AbortController()
      const asking = pause(askEveryMs, undefined, { signal: wake.signal, ref: false })
      await Promise.race([asking.catch(() => {}), ended.promise]).finally(() => wake.abort())
      if (!signal.aborted) await client.query('SELECT 1')
    }
  } finally {
    signal.removeEventListener('abort', stop)
    // A connection that says nothing does not say good-bye either.
    await Promise.race([client.end().catch(() => {}), pause(answerMs, undefined, { ref: false })])
  }
}
