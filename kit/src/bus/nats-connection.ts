import { connect, errors, type NatsConnection } from '@nats-io/transport-node'

/** What connecting needs; one attempt. */
export interface NatsTarget {
  /** `nats://[user:password@|token@]host[:port]`, `tls://…`, several of them with commas between. */
  readonly url: string
  readonly name?: string
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
  const { servers, tls, ...credentials } = parseNatsUrl(target.url)
  const connection = await connect({
    servers,
    name: target.name,
    timeout: target.connectTimeoutMs,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: target.reconnectDelayMs,
    // A peer that is gone without a word is noticed within half a minute.
    pingInterval: 10_000,
    ...(tls ? { tls: {} } : {}),
    ...credentials,
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
    error instanceof errors.AuthorizationError ||
    error instanceof errors.UserAuthenticationExpiredError
  )
}

interface ParsedUrl {
  readonly servers: string[]
  readonly tls: boolean
  readonly user?: string
  readonly pass?: string
  readonly token?: string
}

function parseNatsUrl(text: string): ParsedUrl {
  const urls = text.split(',').map((each) => new URL(each.trim()))
  const servers = urls.map((url) => `${url.hostname}:${url.port || 4222}`)
  const tls = urls.some((url) => url.protocol === 'tls:')
  const first = urls.find((url) => url.username !== '')
  if (first === undefined) return { servers, tls }
  const user = decodeURIComponent(first.username)
  if (first.password === '') return { servers, tls, token: user }
  return { servers, tls, user, pass: decodeURIComponent(first.password) }
}
