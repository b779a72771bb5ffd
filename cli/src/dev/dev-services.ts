/**
 * The three services in one process: PGlite instead of PostgreSQL, events within the process instead of NATS,
 * values on disk. The services are the same; only these adapters differ.
 *
 * 1. They start in the order in which they need each other and stop in the reverse: the executor hands back its
 *    jobs while the scheduler can still take them, the database is the last to close.
 * 2. A start that fails closes what was opened, and says what to change as a ConfigError where it can.
 */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createExecutor, jobsFault, modulesIn } from '@offstage/executor'
import { createInProcessBus } from '@offstage/kit/bus'
import { ConfigError, faultText } from '@offstage/kit/config'
import { type Database, openPglite, preparedClusterName } from '@offstage/kit/database'
import { makeFolder } from '@offstage/kit/folders'
import { ListenError } from '@offstage/kit/grpc'
import { createService, Resources, type Service } from '@offstage/kit/lifecycle'
import { createLogger, startTelemetry } from '@offstage/kit/telemetry'
import { createScheduler } from '@offstage/scheduler'
import { createJobValues, createStorage } from '@offstage/storage'
import { type DevConfig, type DevFlags, readDevConfig } from './dev-config.ts'

export interface DevOptions extends DevFlags {
  /** Default: that of the process. */
  readonly env?: NodeJS.ProcessEnv
  /** Log lines for people instead of JSON. Default false. */
  readonly pretty?: boolean
}

/** Where the services listen, `host:port`. */
export interface DevAddresses {
  readonly scheduler: string
  readonly storage: string
  /** Absent without jobs. */
  readonly executor?: string
}

export interface DevServices extends Service {
  /** Known once started. */
  readonly addresses: DevAddresses
  /** The methods that can be run, in order; known once started. */
  readonly methods: readonly string[]
}

/** Makes the services; nothing is opened before the start. */
export function createDevServices(options: DevOptions): DevServices {
  const resources = new Resources()
  let addresses: DevAddresses | undefined
  let methods: readonly string[] = []

  const service = createService({
    name: 'offstage dev',
    start: () => start(),
    stop: () => resources[Symbol.asyncDispose](),
  })

  async function start(): Promise<void> {
    const config = readDevConfig(options, options.env)
    const { otlpEndpoint, logLevel } = config.scheduler
    const log = (name: string) => createLogger({ name, level: logLevel, pretty: options.pretty })
    const onError = (error: unknown) => log('bus').warn({ err: error }, 'an event was lost')

    // Before seconds go into what a misspelt path makes useless.
    const paths = config.executor?.jobs ?? []
    await Promise.all(paths.map(modulesIn)).catch(refusal('--jobs'))

    const telemetry = startTelemetry({ serviceName: 'offstage-dev', otlpEndpoint })
    await resources.use(telemetry).start()
    const opened = openDatabase(config)
    const database = resources.use(await opened.catch(refusal('--data-dir')))
    const bus = resources.use(createInProcessBus({ onError }))
    const shared = { database, bus }

    const scheduler = resources.use(
      createScheduler({ ...shared, config: config.scheduler, log: log('scheduler') }),
    )
    await scheduler.start().catch(refusal('--port-base'))
    const jobs = resources.use(createJobValues({ address: scheduler.address, tls: undefined }))
    const storage = resources.use(
      createStorage({ ...shared, jobs, config: config.storage, log: log('storage') }),
    )
    await storage.start().catch(refusal('--port-base'))
    addresses = { scheduler: scheduler.address, storage: storage.address }
    if (config.executor === undefined) return

    const executor = resources.use(
      createExecutor({ config: { ...config.executor, ...addresses }, log: log('executor') }),
    )
    await executor.start().catch(refusal('--jobs'))
    await executor.firstAttached.catch(refusal('--jobs'))
    addresses = { ...addresses, executor: executor.address }
    methods = executor.methods.map(({ name }) => name).sort()
  }

  return {
    start: service.start,
    stop: service.stop,
    [Symbol.asyncDispose]: service[Symbol.asyncDispose],
    get addresses() {
      if (addresses === undefined) throw new Error('the services have not started')
      return addresses
    },
    get methods() {
      return methods
    },
  }
}

async function openDatabase({ databaseDir, storage }: DevConfig): Promise<Database> {
  makeFolder(databaseDir)
  makeFolder(storage.dataDir)
  // The package of this command brings the file along; in a checkout it lies where the default is.
  const packed = fileURLToPath(new URL(`../${preparedClusterName()}`, import.meta.url))
  const preparedCluster = existsSync(packed) ? packed : undefined
  return openPglite({ dataDir: databaseDir, preparedCluster })
}

const OTHER_PORTS =
  'take other ports with --port-base, or 0 for free ones, and beside another offstage dev ' +
  'another --data-dir too'
const OTHER_FOLDER =
  'name a folder of your own that can be written, and beside another offstage dev take other ports ' +
  'with --port-base too'

/** A fault of the start, under the flag that most likely mends it. */
function refusal(flag: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof ConfigError) throw error
    if (error instanceof ListenError) {
      const problem = `${error.message}; ${OTHER_PORTS}`
      throw new ConfigError([{ variable: '--port-base', problem }])
    }
    if (flag === '--port-base') throw error
    if (flag === '--jobs') throw jobsFault(error, flag)
    throw new ConfigError([{ variable: flag, problem: `${faultText(error)}; ${OTHER_FOLDER}` }])
  }
}
