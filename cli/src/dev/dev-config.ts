import { join } from 'node:path'
import { type ExecutorConfig, readEmbeddedExecutorConfig } from '@offstage/executor'
import { ConfigError, type ConfigFault } from '@offstage/kit/config'
import { type EmbeddedSchedulerConfig, readEmbeddedSchedulerConfig } from '@offstage/scheduler'
import { type EmbeddedStorageConfig, readEmbeddedStorageConfig } from '@offstage/storage'

/** What `offstage dev` is told by its flags; the environment says the rest, as for the services. */
export interface DevFlags {
  /** Module files and folders with job definitions. Empty: OFFSTAGE_JOBS, and without it no executor. */
  readonly jobs: readonly string[]
  /** Scheduler, storage and executor listen on this port and the two after it; 0: on free ones. */
  readonly portBase: number
  readonly dataDir: string
}

export interface DevConfig {
  readonly scheduler: EmbeddedSchedulerConfig
  readonly storage: EmbeddedStorageConfig
  /** Absent where no jobs were named. */
  readonly executor?: ExecutorConfig
  readonly databaseDir: string
}

/** Reads the configuration of all three services. Throws a ConfigError with every fault of any. */
export function readDevConfig(flags: DevFlags, env: NodeJS.ProcessEnv = process.env): DevConfig {
  const port = (offset: number) => String(flags.portBase === 0 ? 0 : flags.portBase + offset)
  const jobs = flags.jobs.length > 0 ? flags.jobs.join(',') : (env.OFFSTAGE_JOBS ?? '')
  const all = {
    // Whoever presses Ctrl-C wants the prompt back.
    OFFSTAGE_EXECUTOR_DRAIN_GRACE: '3s',
    OFFSTAGE_LOG_LEVEL: 'warn',
    ...env,
    OFFSTAGE_SCHEDULER_PORT: port(0),
    OFFSTAGE_STORAGE_PORT: port(1),
    OFFSTAGE_EXECUTOR_PORT: port(2),
    OFFSTAGE_STORAGE_DATA_DIR: join(flags.dataDir, 'values'),
    OFFSTAGE_JOBS: jobs,
    // One machine, one user: no tokens.
    OFFSTAGE_IDENTITY: undefined,
    // The executor is told where the others really listen once they do.
    OFFSTAGE_SCHEDULER: undefined,
    OFFSTAGE_STORAGE: undefined,
  }
  const faults: ConfigFault[] = []
  const scheduler = gather(faults, () => readEmbeddedSchedulerConfig(all))
  const storage = gather(faults, () => readEmbeddedStorageConfig(all))
  const executor = jobs === '' ? undefined : gather(faults, () => readEmbeddedExecutorConfig(all))
  if (scheduler === undefined || storage === undefined || faults.length > 0) {
    throw new ConfigError(faults)
  }
  return { scheduler, storage, executor, databaseDir: join(flags.dataDir, 'database') }
}

/** Variables that several services read are named once. */
function gather<T>(faults: ConfigFault[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const known = new Set(faults.map(({ variable }) => variable))
    faults.push(...error.faults.filter(({ variable }) => !known.has(variable)))
    return undefined
  }
}
