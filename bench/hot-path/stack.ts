/** The product as it is deployed: its services as processes of their own, over durable PostgreSQL and NATS. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnProcess, startNats, startPostgres } from '@offstage/testkit'

export interface Stack extends AsyncDisposable {
  readonly scheduler: string
  /** Of the process of the scheduler. */
  readonly schedulerPid: number
  readonly executorPid: number
  /** Where there is to be one. */
  readonly storage?: { readonly address: string; readonly pid: number }
  /** The scheduler's database. */
  readonly jobsDatabaseUrl: string
  /** An empty database on the same server. */
  readonly databaseUrl: string
}

const HOT_PATH = new URL('./jobs.ts', import.meta.url)
const SERVING = /"address":"([^"]+)".*serving gRPC/

/** BENCH_PROFILE names a folder for CPU profiles of both services. */
const profile = process.env.BENCH_PROFILE
const nodeOptions = profile && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` }

export interface StackParts {
  /** The module that the executor runs. Default: that of the hot path. */
  readonly jobs?: URL
  /** Whether there is a storage service. Default false. */
  readonly storage?: boolean
  /** How many jobs the executor runs at once. Default 5,000. */
  readonly slots?: number
}

/** `env` is for all services. */
export async function startStack(
  env: NodeJS.ProcessEnv = {},
  { jobs = HOT_PATH, storage: withStorage = false, slots = 5_000 }: StackParts = {},
): Promise<Stack> {
  const stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres({ settings: { fsync: 'on' } }))
  const nats = stack.use(await startNats())
  const jobsDatabaseUrl = await postgres.createDatabase()
  const common = {
    ...nodeOptions,
    ...env,
    OFFSTAGE_NATS_URL: nats.url,
    OFFSTAGE_LOG_LEVEL: 'info',
  }
  const scheduler = stack.use(
    await spawnProcess({
      main: new URL('../../services/scheduler/src/main.ts', import.meta.url),
      env: {
        ...common,
        OFFSTAGE_SCHEDULER_PORT: '0',
        OFFSTAGE_SCHEDULER_DATABASE_URL: jobsDatabaseUrl,
      },
      ready: SERVING,
    }),
  )
  const address = scheduler.ready[1] ?? ''
  const storage = withStorage
    ? await startStorage(stack, { ...common, OFFSTAGE_SCHEDULER: address }, jobsDatabaseUrl)
    : undefined
  const executor = stack.use(
    await spawnProcess({
      main: new URL('../../services/executor/src/main.ts', import.meta.url),
      env: {
        ...common,
        OFFSTAGE_SCHEDULER: address,
        ...(storage && { OFFSTAGE_STORAGE: storage.address }),
        OFFSTAGE_JOBS: jobs.pathname,
        OFFSTAGE_EXECUTOR_PORT: '0',
        OFFSTAGE_EXECUTOR_INLINE_SLOTS: String(slots),
      },
      ready: SERVING,
    }),
  )
  const databaseUrl = await postgres.createDatabase()
  return {
    scheduler: address,
    schedulerPid: scheduler.pid,
    executorPid: executor.pid,
    storage,
    jobsDatabaseUrl,
    databaseUrl,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

async function startStorage(
  stack: AsyncDisposableStack,
  env: NodeJS.ProcessEnv,
  databaseUrl: string,
): Promise<Stack['storage']> {
  const data = await mkdtemp(join(tmpdir(), 'offstage-bench-'))
  stack.defer(() => rm(data, { recursive: true }))
  const storage = stack.use(
    await spawnProcess({
      main: new URL('../../services/storage/src/main.ts', import.meta.url),
      env: {
        ...env,
        OFFSTAGE_STORAGE_PORT: '0',
        OFFSTAGE_STORAGE_DATABASE_URL: databaseUrl,
        OFFSTAGE_STORAGE_DATA_DIR: data,
      },
      ready: SERVING,
    }),
  )
  return { address: storage.ready[1] ?? '', pid: storage.pid }
}
