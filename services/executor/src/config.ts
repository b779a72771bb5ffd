import { existsSync } from 'node:fs'
import { availableParallelism, hostname } from 'node:os'
import { resolve } from 'node:path'
import { checkIdentity, identityFields } from '@offstage/kit/auth/tokens'
import {
  address,
  bearerToken,
  bytes,
  type ConfigFault,
  type ConfigOf,
  file,
  host,
  millis,
  port,
  positiveInteger,
  readConfig,
  variable,
} from '@offstage/kit/config'
import { healthFields } from '@offstage/kit/health'
import {
  checkClientTls,
  checkServerTls,
  clientTlsFields,
  serverTlsFields,
  tlsFields,
  withoutTls,
} from '@offstage/kit/tls'
import { poolFault, poolRule, versionFault, versionRule } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import { z } from 'zod'

const slots = positiveInteger.pipe(
  z.number().max(LIMITS.laneSlotsMax, `must be at most ${LIMITS.laneSlotsMax}`),
)

/** A process that has done nothing yet holds two thirds of it. */
const processMemory = bytes.pipe(z.number().min(128 * 2 ** 20, 'must be at least 128MiB'))

const paths = z
  .string()
  .transform((text) => text.split(',').map((path) => path.trim()))
  .refine((list) => list.every((path) => path !== ''), 'must be paths separated by commas')
  .transform((list) => list.map((path) => resolve(path)))

const names = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .superRefine((list, context) => {
    const wrong = list.find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    const own = list.find((name) => name.startsWith('OFFSTAGE_'))
    if (wrong !== undefined) context.addIssue('must be names of variables separated by commas')
    else if (own !== undefined) context.addIssue(`names ${own}, which is for the executor alone`)
  })

const pools = z
  .string()
  .transform((text) => text.split(',').map((pool) => pool.trim()))
  .superRefine((list, context) => {
    const wrong = list.find((pool) => pool === '' || poolFault(pool) !== undefined)
    const twice = list.find((pool, index) => list.indexOf(pool) < index)
    if (wrong !== undefined) context.addIssue(`must be pools separated by commas, each ${poolRule}`)
    else if (twice !== undefined) context.addIssue(`names ${twice} twice`)
    else if (list.length > LIMITS.poolsMax) context.addIssue(`must be at most ${LIMITS.poolsMax}`)
  })

const version = z
  .string()
  .refine((text) => text !== '' && versionFault(text) === undefined, `must be ${versionRule}`)

/** Everything the executor is told by its environment. */
export const executorFields = {
  jobs: variable('OFFSTAGE_JOBS', paths, {
    description: 'module files and folders with job definitions, separated by commas',
  }),
  scheduler: variable('OFFSTAGE_SCHEDULER', address.default('127.0.0.1:7701'), {
    description: 'address of the scheduler, host:port',
  }),
  storage: variable('OFFSTAGE_STORAGE', address.default('127.0.0.1:7702'), {
    description: 'address of the storage service, host:port',
  }),
  namespace: variable('OFFSTAGE_NAMESPACE', z.string().default('default'), {
    description: 'the namespace whose jobs it runs',
  }),
  pools: variable('OFFSTAGE_POOLS', pools.default([]), {
    description: 'pools whose jobs it runs, separated by commas; default: the default pool',
  }),
  methodVersion: variable('OFFSTAGE_METHOD_VERSION', version.optional(), {
    description: 'the version of the methods whose definitions say none; default: they have none',
  }),
  token: variable('OFFSTAGE_TOKEN', bearerToken.optional(), {
    description: 'the bearer token it attaches with; absent in development',
    secret: true,
  }),
  tokenFile: variable('OFFSTAGE_TOKEN_FILE', file.optional(), {
    description: 'a file that has that token, in its place; read again as it changes',
  }),
  name: variable(
    'OFFSTAGE_EXECUTOR_NAME',
    z.string().max(LIMITS.executorNameCharactersMax).default(defaultName),
    {
      description: 'a name for people',
    },
  ),
  host: variable('OFFSTAGE_EXECUTOR_HOST', host.default('127.0.0.1'), {
    description: 'where its own gRPC (health, describe, drain) listens',
  }),
  port: variable('OFFSTAGE_EXECUTOR_PORT', port.default(7703), {
    description: 'the port of its own gRPC; 0 takes a free one',
  }),
  ...healthFields('EXECUTOR'),
  ...identityFields,
  ...tlsFields,
  ...serverTlsFields,
  ...clientTlsFields,
  inlineSlots: variable('OFFSTAGE_EXECUTOR_INLINE_SLOTS', slots.default(1_000), {
    description: 'jobs at once in the inline lane',
  }),
  inlineBlockedAfterMs: variable('OFFSTAGE_EXECUTOR_INLINE_BLOCKED', millis.default(500), {
    description: 'how long a handler may block the event loop of the inline lane unmentioned',
  }),
  taskSlots: variable('OFFSTAGE_EXECUTOR_TASK_SLOTS', slots.default(availableParallelism()), {
    description: 'jobs at once in the task lane, each on a thread of a pool; default: the cores',
  }),
  workSlots: variable('OFFSTAGE_EXECUTOR_WORK_SLOTS', slots.default(4), {
    description: 'jobs at once in the work lane, each on a thread of its own',
  }),
  threadHeapBytes: variable('OFFSTAGE_EXECUTOR_THREAD_HEAP', bytes.optional(), {
    description:
      'memory of a handler thread, heap and Buffers; over it the thread ends; default: the heap limit of Node',
  }),
  processSlots: variable('OFFSTAGE_EXECUTOR_PROCESS_SLOTS', slots.optional(), {
    description:
      'jobs at once in the process lane, each alone in a process; default: 2 where a method asks for the lane, else it has none',
  }),
  processMemoryBytes: variable('OFFSTAGE_EXECUTOR_PROCESS_MEMORY', processMemory.optional(), {
    description:
      'memory of a process of that lane, over which it ends; default: the heap limit of Node',
  }),
  processEnvironment: variable('OFFSTAGE_EXECUTOR_PROCESS_ENV', names.default([]), {
    description:
      'names of variables that those processes are given, separated by commas, beside PATH, HOME and the like',
  }),
  drainGraceMs: variable('OFFSTAGE_EXECUTOR_DRAIN_GRACE', millis.default(20_000), {
    description: 'how long running jobs may take when the executor stops',
  }),
  otlpEndpoint: variable('OFFSTAGE_OTLP_ENDPOINT', z.url().optional(), {
    description: 'OTLP/gRPC collector for traces; absent: nothing is traced',
  }),
  logLevel: variable('OFFSTAGE_LOG_LEVEL', z.string().default('info'), {
    description: 'trace, debug, info, warn, error, fatal or silent',
  }),
}

export type ExecutorConfig = ConfigOf<typeof executorFields>

/** Throws a ConfigError that names every variable that is wrong. */
export function readExecutorConfig(env?: NodeJS.ProcessEnv): ExecutorConfig {
  return readConfig(executorFields, env, (config) => [
    ...checkToken(config),
    ...checkIdentity(config, executorFields.host.name),
    ...checkServerTls(config),
    ...checkClientTls(config, {
      [executorFields.scheduler.name]: config.scheduler,
      [executorFields.storage.name]: config.storage,
    }),
  ])
}

/** The same for an executor in one process with the services it calls. */
export function readEmbeddedExecutorConfig(env: NodeJS.ProcessEnv): ExecutorConfig {
  return readExecutorConfig(withoutTls(env))
}

function checkToken({ token, tokenFile }: ExecutorConfig): ConfigFault[] {
  if (tokenFile === undefined) return []
  const { name } = executorFields.tokenFile
  if (token !== undefined) {
    return [{ variable: name, problem: 'is set although OFFSTAGE_TOKEN is; set one of them' }]
  }
  return existsSync(tokenFile) ? [] : [{ variable: name, problem: `${tokenFile} does not exist` }]
}

function defaultName(): string {
  return `${hostname()} ${process.pid}`
}
