import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { isObject, rule, text } from '../arguments/rules.ts'
import type { IdleClock } from '../idle/clock.ts'
import { type ConnectTls, connectTls } from './connect-tls.ts'
import { createConnection } from './connection.ts'
import { metadataFrom } from './identity.ts'
import { Session } from './session.ts'

/** Where the services are and who calls. Each has an environment variable. */
export interface ConnectOptions {
  /** `host:port`. Default OFFSTAGE_SCHEDULER, else 127.0.0.1:7701. */
  readonly scheduler?: string
  /** `host:port`. Default OFFSTAGE_STORAGE, else 127.0.0.1:7702. Dialled when first needed. */
  readonly storage?: string
  /** Default OFFSTAGE_NAMESPACE, else `default`. */
  readonly namespace?: string
  /** A JWT, sent as bearer. Default OFFSTAGE_TOKEN, else none. Services in development mode read none: a warning says so once. */
  readonly token?: string
  /** Whom to act for where the services run in development mode. Default OFFSTAGE_USER, else theirs. */
  readonly user?: string
  /** The scope of temp storage for starts and values that name none. Default none. */
  readonly scope?: string
  /**
   * TLS of the connections: the files it needs, or false for plain text whatever the environment says. Default
   * OFFSTAGE_TLS_CA, OFFSTAGE_TLS_CERT and OFFSTAGE_TLS_KEY, else plain text.
   */
  readonly tls?: ConnectTls | false
  /** Where waits take their time from; replaced in tests. */
  readonly clock?: IdleClock
}

const CONNECT_RULES: Rules<ConnectOptions> = {
  scheduler: text,
  storage: text,
  namespace: text,
  token: text,
  user: text,
  scope: text,
  tls: rule('an object or false', (value) => value === false || isObject(value)),
  clock: rule('a clock', (value) => typeof value === 'object'),
}

/** A session by options, the environment and defaults, in this order; dials nothing yet. */
export function sessionFrom(options: ConnectOptions): Session {
  checkOptions('connect', options, CONNECT_RULES)
  const { env } = process
  const connection = createConnection(
    options.scheduler || env.OFFSTAGE_SCHEDULER || '127.0.0.1:7701',
    options.storage || env.OFFSTAGE_STORAGE || '127.0.0.1:7702',
    connectTls(options.tls),
  )
  const identity = {
    namespace: options.namespace || env.OFFSTAGE_NAMESPACE || 'default',
    scope: options.scope ?? '',
    parentJobId: '',
    metadata: metadataFrom({
      token: options.token ?? env.OFFSTAGE_TOKEN,
      user: options.user ?? env.OFFSTAGE_USER,
    }),
  }
  return new Session(connection, identity, options.clock)
}
