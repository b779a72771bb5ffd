import { checkIdentity, identityFields, identityFileOf } from '@offstage/kit/auth/tokens'
import { checkNats, natsFields } from '@offstage/kit/bus'
import {
  address,
  bearerToken,
  bytes,
  type ConfigFault,
  type ConfigOf,
  directory,
  file,
  host,
  millis,
  natsUrl,
  port,
  positiveInteger,
  postgresUrl,
  readConfig,
  variable,
} from '@offstage/kit/config'
import { limitFields, SERVER_LIMITS } from '@offstage/kit/grpc'
import { healthFields } from '@offstage/kit/health'
import {
  checkClientTls,
  checkDatabaseTls,
  checkServerTls,
  clientTlsFields,
  serverTlsFields,
  tlsFields,
  withoutTls,
} from '@offstage/kit/tls'
import { z } from 'zod'

const KIB = 1024
const GIB = KIB ** 3
const MINUTE_MS = 60_000

/** A download that waits holds a chunk of 256 KiB; its reader may have much to do with each. */
const LIMITS = { ...SERVER_LIMITS, callerStreamsMax: 500, slowReaderMs: 5 * MINUTE_MS }

/** Shorter, and a service that is busy for a moment would be taken for dead, and its puts refused. */
const ORPHAN_GRACE_MS_MIN = 10_000
const orphanGrace = millis.refine(
  (ms) => ms >= ORPHAN_GRACE_MS_MIN,
  'must be at least 10s: after so long a silence what a service writes is removed',
)

/** Everything storage is told by its environment. */
export const storageFields = {
  host: variable('OFFSTAGE_STORAGE_HOST', host.default('127.0.0.1'), {
    description: 'address to listen on; others than loopback need identity',
  }),
  port: variable('OFFSTAGE_STORAGE_PORT', port.default(7702), {
    description: 'gRPC port; 0 takes a free one',
  }),
  ...healthFields('STORAGE'),
  ...identityFields,
  ...tlsFields,
  ...serverTlsFields,
  ...clientTlsFields,
  scheduler: variable('OFFSTAGE_SCHEDULER', address.default('127.0.0.1:7701'), {
    description:
      'address of the scheduler, host:port; asked which values jobs need, and about the tokens of attempts, where there is identity',
  }),
  token: variable('OFFSTAGE_TOKEN', bearerToken.optional(), {
    description:
      'the bearer token it asks the scheduler with, of the role service; absent in development',
    secret: true,
  }),
  tokenFile: variable('OFFSTAGE_TOKEN_FILE', file.optional(), {
    description: 'a file that has that token, in its place; read for each question',
  }),
  dataDir: variable('OFFSTAGE_STORAGE_DATA_DIR', directory, {
    description: 'folder for the bytes of values over 64 KiB, of this database alone',
  }),
  valueBytesMax: variable('OFFSTAGE_STORAGE_VALUE_MAX', bytes.default(16 * GIB), {
    description: 'largest value taken',
  }),
  ownerBytesMax: variable('OFFSTAGE_STORAGE_OWNER_QUOTA', bytes.default(64 * GIB), {
    description: 'bytes one owner may hold in a namespace',
  }),
  ownerValuesMax: variable('OFFSTAGE_STORAGE_OWNER_VALUES', positiveInteger.default(100_000), {
    description: 'values and reserved addresses one owner may hold in a namespace',
  }),
  ownerScopesMax: variable('OFFSTAGE_STORAGE_OWNER_SCOPES', positiveInteger.default(10_000), {
    description: 'scopes one owner may have open',
  }),
  ownerUploadsMax: variable('OFFSTAGE_STORAGE_OWNER_UPLOADS', positiveInteger.default(1_000), {
    description: 'uploads one owner may have begun and not finished',
  }),
  namespaceBytesMax: variable('OFFSTAGE_STORAGE_NAMESPACE_QUOTA', bytes.default(KIB * GIB), {
    description: 'bytes all owners of a namespace may hold',
  }),
  ...limitFields('STORAGE', LIMITS),
  uploadIdleMsMax: variable('OFFSTAGE_STORAGE_UPLOAD_IDLE', millis.default(60 * MINUTE_MS), {
    description: 'an upload without headway for so long is removed',
  }),
  actsKeptMs: variable('OFFSTAGE_STORAGE_ACTS_KEPT', millis.default(90 * 24 * 60 * MINUTE_MS), {
    description: 'how long acts of administrators on values of others stay on record',
  }),
  sweepEveryMs: variable('OFFSTAGE_STORAGE_SWEEP_EVERY', millis.default(5_000), {
    description: 'longest wait before what has ended is deleted',
  }),
  orphanSweepEveryMs: variable(
    'OFFSTAGE_STORAGE_ORPHAN_SWEEP_EVERY',
    millis.default(10 * MINUTE_MS),
    { description: 'longest wait before files nobody points to are looked for' },
  ),
  orphanGraceMs: variable('OFFSTAGE_STORAGE_ORPHAN_GRACE', orphanGrace.default(60 * MINUTE_MS), {
    description:
      'files half-written by a service that has not been heard of for so long are removed',
  }),
  databaseUrl: variable('OFFSTAGE_STORAGE_DATABASE_URL', postgresUrl, {
    description: 'PostgreSQL that holds the metadata',
  }),
  databasePasswordFile: variable('OFFSTAGE_STORAGE_DATABASE_PASSWORD_FILE', file.optional(), {
    description:
      'file with the password of the database, read for each connection; absent: that of the url',
  }),
  databasePoolSize: variable('OFFSTAGE_STORAGE_DATABASE_POOL', positiveInteger.default(10), {
    description: 'connections to PostgreSQL',
  }),
  databaseWaitMs: variable('OFFSTAGE_STORAGE_DATABASE_WAIT', millis.default(0), {
    description: 'how long a start waits for a database that is away',
  }),
  natsUrl: variable('OFFSTAGE_NATS_URL', natsUrl.optional(), {
    description: 'NATS for events; without it events stay in the process',
  }),
  ...natsFields,
  otlpEndpoint: variable('OFFSTAGE_OTLP_ENDPOINT', z.url().optional(), {
    description: 'OTLP/gRPC collector for traces',
  }),
  logLevel: variable(
    'OFFSTAGE_LOG_LEVEL',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
    { description: 'least severe lines logged' },
  ),
} as const

/** What is left to tell storage in a process that brings its own database and bus. */
const {
  databaseUrl: _url,
  databasePasswordFile: _password,
  databasePoolSize: _pool,
  databaseWaitMs: _wait,
  natsUrl: _nats,
  scheduler: _scheduler,
  token: _token,
  tokenFile: _tokenFile,
  ...embedded
} = storageFields

export type StorageConfig = ConfigOf<typeof storageFields>
export type EmbeddedStorageConfig = ConfigOf<typeof embedded>

/** Throws a ConfigError that names every variable that is wrong. */
export function readStorageConfig(env?: NodeJS.ProcessEnv): StorageConfig {
  return readConfig(storageFields, env, (config) => [
    ...check(config),
    ...checkCalls(config),
    ...checkDatabaseTls(config, storageFields.databaseUrl.name),
    ...checkNats(config),
  ])
}

/** The same without the database, the bus and TLS. */
export function readEmbeddedStorageConfig(env?: NodeJS.ProcessEnv): EmbeddedStorageConfig {
  return readConfig(embedded, withoutTls(env ?? process.env), check)
}

function checkCalls(config: StorageConfig): ConfigFault[] {
  const { name } = storageFields.scheduler
  const isGuarded = identityFileOf(config) !== undefined
  return checkClientTls(config, { [name]: isGuarded ? config.scheduler : undefined })
}

function check(config: Parameters<typeof checkServerTls>[0] & Parameters<typeof checkIdentity>[0]) {
  return [...checkIdentity(config, storageFields.host.name), ...checkServerTls(config)]
}
