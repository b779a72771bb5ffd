import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { isObject, isText, rule, text } from '../arguments/rules.ts'
import type { IdleClock } from '../idle/clock.ts'
import type { Codec } from '../jobs/codec.ts'
import { codecRule } from './codec-rule.ts'
import { type ConnectTls, connectTls, isPlainTextMeant, refusePlainToken } from './connect-tls.ts'
import { createConnection } from './connection.ts'
import { Credential, type CredentialOptions } from './credential.ts'
import { Foreground, type ForegroundRunner } from './foreground.ts'
import { scope } from './limit-rules.ts'
import { Session } from './session.ts'
import { isSendable, type TokenSource } from './token-source.ts'

/** Where the services are and who calls. Each has an environment variable. */
export interface ConnectOptions {
  /** `host:port`. Default OFFSTAGE_SCHEDULER, else 127.0.0.1:7701. */
  readonly scheduler?: string
  /** `host:port`. Default OFFSTAGE_STORAGE, else 127.0.0.1:7702. Dialled when first needed. */
  readonly storage?: string
  /** Default OFFSTAGE_NAMESPACE, else `default`. */
  readonly namespace?: string
  /**
   * A JWT, sent as bearer, or a function that gives one: it is called when the first call needs it, again before that token ends,
   * and once where a service refuses it. Default OFFSTAGE_TOKEN, else `tokenFile`. Services in development mode read none: a
   * warning says so once.
   */
  readonly token?: TokenSource
  /**
   * A file with the JWT, which is read again: as it changes, before the token ends, and where a service refuses it. In place of
   * `token`. Default OFFSTAGE_TOKEN_FILE, else none.
   */
  readonly tokenFile?: string
  /** Whom to act for where the services run in development mode. Default OFFSTAGE_USER, else theirs. */
  readonly user?: string
  /** The scope of temp storage for starts and values that name none. Default none. */
  readonly scope?: string
  /**
   * TLS of the connections: the files it needs, or false for plain text whatever the environment says. Default
   * OFFSTAGE_TLS_CA, OFFSTAGE_TLS_CERT and OFFSTAGE_TLS_KEY, else plain text; a token then goes to services on this machine only,
   * unless OFFSTAGE_TLS is `off`.
   */
  readonly tls?: ConnectTls | false
  /**
   * How parameters become bytes where the definition says nothing or is not known, and what is put into storage (row J22). Its
   * wrappers are known to all that the client reads. Default JSON.
   */
  readonly codec?: Codec
  /**
   * What runs jobs in this process, in starts whose `mode` is not `background` (row L7): `foregroundRunner({ jobs })` of
   * `@offstage/executor`. It attaches at the first of them. Default: none does.
   */
  readonly foreground?: ForegroundRunner
  /** Where waits take their time from; replaced in tests. */
  readonly clock?: IdleClock
}

const CONNECT_RULES: Rules<ConnectOptions> = {
  scheduler: text,
  storage: text,
  namespace: text,
  token: rule(
    'a token (a text without spaces), or a function that gives one',
    (value) => typeof value === 'function' || value === '' || (isText(value) && isSendable(value)),
  ),
  tokenFile: text,
  user: text,
  scope,
  tls: rule('an object or false', (value) => value === false || isObject(value)),
  codec: codecRule,
  foreground: rule('a runner, as foregroundRunner makes them', isObject),
  clock: rule('a clock', (value) => typeof value === 'object'),
}

/** A session by options, the environment and defaults, in this order; dials nothing yet. */
export function sessionFrom(options: ConnectOptions): Session {
  checkOptions('connect', options, CONNECT_RULES)
  const { env } = process
  const scheduler = options.scheduler || env.OFFSTAGE_SCHEDULER || '127.0.0.1:7701'
  const storage = options.storage || env.OFFSTAGE_STORAGE || '127.0.0.1:7702'
  const tls = connectTls(options.tls)
  const credential = credentialFrom(options)
  if (credential.sendsToken && tls === undefined && !isPlainTextMeant(options.tls)) {
    refusePlainToken({ OFFSTAGE_SCHEDULER: scheduler, OFFSTAGE_STORAGE: storage })
  }
  const connection = createConnection(scheduler, storage, tls)
  const identity = {
    namespace: options.namespace || env.OFFSTAGE_NAMESPACE || 'default',
    scope: options.scope ?? '',
    parentJobId: '',
    credential,
  }
  const { clock, codec, foreground: runner } = options
  const { namespace } = identity
  const foreground = runner && new Foreground(runner, { scheduler, namespace, credential, tls })
  return new Session(connection, identity, { clock, codec, valueCodec: codec, foreground })
}

/** Who calls, by options and the environment. */
export function credentialFrom(options: ConnectOptions): Credential {
  const { env } = process
  return new Credential({ ...tokenFrom(options), user: options.user ?? env.OFFSTAGE_USER })
}

/** Options go before variables; of each there may be one, so that nobody wonders which of two is sent. */
function tokenFrom({ token, tokenFile }: ConnectOptions): CredentialOptions {
  const { env } = process
  if (token && tokenFile)
    throw new TypeError('connect: token and tokenFile are two ways to say one thing; give one')
  if (token !== undefined || tokenFile !== undefined) return { token, tokenFile }
  const variables = { token: env.OFFSTAGE_TOKEN, tokenFile: env.OFFSTAGE_TOKEN_FILE }
  if (variables.token && variables.tokenFile) {
    throw new TypeError('OFFSTAGE_TOKEN and OFFSTAGE_TOKEN_FILE are both set; set one of them')
  }
  if (variables.token && !isSendable(variables.token)) {
    throw new TypeError('OFFSTAGE_TOKEN has characters that no token has, such as spaces')
  }
  return variables
}
