import { checkIdentity, identityFields } from '@offstage/kit/auth/tokens'
import { checkNats, natsFields } from '@offstage/kit/bus'
import {
  type ConfigFault,
  type ConfigOf,
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
import { limitFields } from '@offstage/kit/grpc'
import { healthFields } from '@offstage/kit/health'
import {
  checkDatabaseTls,
  checkServerTls,
  serverTlsFields,
  tlsFields,
  withoutTls,
} from '@offstage/kit/tls'
import { z } from 'zod'
import { readKeyFile } from './attempts/key-file.ts'

/** No token of an attempt lives longer. */
export const ATTEMPT_TOKEN_MS_MAX = 60 * 60_000
const tokenLife = millis.refine(
  (ms) => ms >= 1_000 && ms <= ATTEMPT_TOKEN_MS_MAX,
  'must be from 1s to 1h',
)
const keyAge = millis.refine(
  (ms) => ms >= 60_000,
  'must be at least 1m: each key goes on to verify for an hour after it',
)

/** Everything the scheduler is told by its environment. */
export const schedulerFields = {
  host: variable('OFFSTAGE_SCHEDULER_HOST', host.default('127.0.0.1'), {
    description: 'Address to listen on; another than loopback needs identity',
  }),
  port: variable('OFFSTAGE_SCHEDULER_PORT', port.default(7701), {
    description: 'Port to listen on; 0 takes a free one',
  }),
  ...healthFields('SCHEDULER'),
  ...identityFields,
  ...tlsFields,
  ...serverTlsFields,
  databaseUrl: variable('OFFSTAGE_SCHEDULER_DATABASE_URL', postgresUrl, {
    description: 'PostgreSQL 15 or later, postgres://user:password@host:port/database',
  }),
  databasePasswordFile: variable('OFFSTAGE_SCHEDULER_DATABASE_PASSWORD_FILE', file.optional(), {
    description:
      'file with the password of the database, read for each connection; absent: that of the url',
  }),
  databasePoolSize: variable('OFFSTAGE_SCHEDULER_DATABASE_POOL', positiveInteger.default(10), {
    description:
      'Connections to the database for calls; fifteen more are kept for listings, leases, results, claims, sweeps and word of starts by SQL',
  }),
  databaseWaitMs: variable('OFFSTAGE_SCHEDULER_DATABASE_WAIT', millis.default(0), {
    description: 'How long a start waits for a database that is away',
  }),
  natsUrl: variable('OFFSTAGE_NATS_URL', natsUrl.default('nats://127.0.0.1:4222'), {
    description: 'NATS server for events; jobs go on while it is away',
  }),
  ...natsFields,
  sessionLeaseMs: variable('OFFSTAGE_SCHEDULER_SESSION_LEASE', millis.default(10_000), {
    description:
      "How long an executor's jobs stay its own after its last sign of life; the same for all schedulers",
  }),
  ...limitFields('SCHEDULER'),
  callerWatchedMax: variable('OFFSTAGE_SCHEDULER_CALLER_WATCHED', positiveInteger.default(50_000), {
    description: 'Jobs one user may watch or wait for on this process',
  }),
  startsPerSecond: variable('OFFSTAGE_SCHEDULER_STARTS_PER_SECOND', positiveInteger.optional(), {
    description: 'Jobs one owner may start a second on this process; absent: any number',
  }),
  ownerSchedulesMax: variable(
    'OFFSTAGE_SCHEDULER_OWNER_SCHEDULES',
    positiveInteger.default(10_000),
    { description: 'Schedules one owner may have in a namespace' },
  ),
  crashLimit: variable('OFFSTAGE_SCHEDULER_CRASH_LIMIT', positiveInteger.default(5), {
    description: 'A job fails after this many executors were lost while they ran it',
  }),
  claimSweepMs: variable('OFFSTAGE_SCHEDULER_CLAIM_SWEEP', millis.default(1_000), {
    description: 'How often queues, and what is paused, are read without a hint',
  }),
  waitSweepMs: variable('OFFSTAGE_SCHEDULER_WAIT_SWEEP', millis.default(1_000), {
    description: 'How often awaited jobs are read without a hint',
  }),
  refreshSweepMs: variable('OFFSTAGE_SCHEDULER_REFRESH_SWEEP', millis.default(5_000), {
    description: 'How often refreshes of reusable values are looked for without a hint',
  }),
  attemptTokenMs: variable('OFFSTAGE_SCHEDULER_ATTEMPT_TOKEN_LIFE', tokenLife.default(300_000), {
    description: 'How long the token lives by which a handler acts for the owner of its job',
  }),
  signingKeyAgeMs: variable('OFFSTAGE_SCHEDULER_SIGNING_KEY_AGE', keyAge.default(86_400_000), {
    description: 'How long one key signs those tokens before the next is made',
  }),
  signingKeyFile: variable('OFFSTAGE_SCHEDULER_SIGNING_KEY_FILE', file.optional(), {
    description:
      'file with the keys that sign them, instead of those in the database: a JWK, a JWKS or PEM of Ed25519; the first signs',
  }),
  actsKeptMs: variable('OFFSTAGE_SCHEDULER_ACTS_KEPT', millis.default(90 * 24 * 3_600_000), {
    description: 'How long acts of operators and administrators stay on record',
  }),
  retentionSweepMs: variable('OFFSTAGE_SCHEDULER_RETENTION_SWEEP', millis.default(30_000), {
    description: 'How often finished jobs are removed that are kept no longer; one replica does it',
  }),
  dueSweepMs: variable('OFFSTAGE_SCHEDULER_DUE_SWEEP', millis.default(250), {
    description: 'How often due jobs are looked for',
  }),
  otlpEndpoint: variable('OFFSTAGE_OTLP_ENDPOINT', z.string().optional(), {
    description: 'OpenTelemetry collector, http://host:4317; absent: spans are not exported',
  }),
  logLevel: variable('OFFSTAGE_LOG_LEVEL', z.string().default('info'), {
    description: 'trace, debug, info, warn, error or fatal',
  }),
}

/** What is left to tell the scheduler in a process that brings its own database and bus. */
const {
  databaseUrl: _url,
  databasePasswordFile: _password,
  databasePoolSize: _pool,
  databaseWaitMs: _wait,
  natsUrl: _nats,
  ...embedded
} = schedulerFields

export type SchedulerConfig = ConfigOf<typeof schedulerFields>
export type EmbeddedSchedulerConfig = ConfigOf<typeof embedded>

/** Throws a ConfigError that names every variable that is wrong. */
export function readSchedulerConfig(env?: NodeJS.ProcessEnv): SchedulerConfig {
  return readConfig(schedulerFields, env, (config) => [
    ...check(config),
    ...checkDatabaseTls(config, schedulerFields.databaseUrl.name),
    ...checkKeyFile(config),
    ...checkNats(config),
  ])
}

/** The same without the database, the bus and TLS. */
export function readEmbeddedSchedulerConfig(env?: NodeJS.ProcessEnv): EmbeddedSchedulerConfig {
  return readConfig(embedded, withoutTls(env ?? process.env), check)
}

function check(config: Parameters<typeof checkServerTls>[0] & Parameters<typeof checkIdentity>[0]) {
  return [...checkIdentity(config, schedulerFields.host.name), ...checkServerTls(config)]
}

function checkKeyFile({ signingKeyFile }: SchedulerConfig): ConfigFault[] {
  if (signingKeyFile === undefined) return []
  try {
    readKeyFile(signingKeyFile)
    return []
  } catch (error) {
    const problem = (error as Error).message
    return [{ variable: schedulerFields.signingKeyFile.name, problem }]
  }
}
