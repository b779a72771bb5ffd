import { connect, errors, type NatsConnection } from '@nats-io/transport-node'
import { isTlsFault } from '../tls/tls-fault.ts'
import { type NatsFiles, parseNatsUrl, securityOf } from './nats-security.ts'

/** What connecting needs; one attempt. */
export interface NatsTarget {
  /** `nats://[user:password@|token@]host[:port]`, `tls://…`, several of them with commas between. */
  readonly url: string
  readonly name?: string
  /** Certificates and logins; read at this attempt, and again at each reconnect. */
  readonly files?: NatsFiles
  readonly connectTimeoutMs: number
  /** Waits between the attempts to reconnect. Asked more than once for each. */
  reconnectDelayMs(): number
}

/** The first with what we rely on; older servers ignore unknown options silently. */
const VERSION_MIN = { major: 2, minor: 9 }

/** The server is older than 2.9. */
export class NatsVersionError extends Error {
  override readonly name = 'NatsVersionError'
  constructor(version: string, server: string) {
    super(`the NATS server ${server} is version ${version}, but 2.9 or later is needed`)
  }
}

/** One attempt to connect. A connection once made reconnects by itself, for ever. */
export async function dialNats(target: NatsTarget): Promise<NatsConnection> {
  const place = parseNatsUrl(target.url)
  const connection = await connect({
    servers: [...place.servers],
    name: target.name,
    timeout: target.connectTimeoutMs,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: target.reconnectDelayMs,
    // A peer that is gone without a word is noticed within half a minute.
    pingInterval: 10_000,
    ...securityOf(place, target.files ?? {}),
  })
  try {
    checkVersion(connection)
  } catch (error) {
    await connection.close()
    throw error
  }
  return connection
}

/** Throws a NatsVersionError when the server at the other end is too old. */
export function checkVersion(connection: NatsConnection): void {
  const version = connection.info?.version ?? 'unknown'
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  const enough =
    major > VERSION_MIN.major || (major === VERSION_MIN.major && minor >= VERSION_MIN.minor)
  if (!enough) throw new NatsVersionError(version, connection.getServer())
}

/** Errors that trying again will not mend: they are told at connect instead of waited out. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof NatsVersionError ||
    isTlsFault(error) ||
    (error instanceof errors.ConnectionError && /does not support 'tls'/.test(error.message)) ||
    error instanceof errors.AuthorizationError ||
    error instanceof errors.UserAuthenticationExpiredError
  )
}
