/** The product as it is deployed: scheduler and executor as processes of their own, over durable PostgreSQL and NATS. */
import { spawnProcess, startNats, startPostgres } from '@offstage/testkit'

export interface Stack extends AsyncDisposable {
  readonly scheduler: string
  /** Of the process of the scheduler. */
  readonly schedulerPid: number
  /** The scheduler's database. */
  readonly jobsDatabaseUrl: string
  /** An empty database on the same server. */
  readonly databaseUrl: string
}

const SERVING = /"address":"([^"]+)".*serving gRPC/

/** BENCH_PROFILE names a folder for CPU profiles of both services. */
const profile = process.env.BENCH_PROFILE
const nodeOptions = profile && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` }

/** `env` is for both services. */
export async function startStack(env: NodeJS.ProcessEnv = {}): Promise<Stack> {
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
  stack.use(
    await spawnProcess({
      main: new URL('../../services/executor/src/main.ts', import.meta.url),
      env: {
        ...common,
        OFFSTAGE_SCHEDULER: address,
        OFFSTAGE_JOBS: new URL('./jobs.ts', import.meta.url).pathname,
        OFFSTAGE_EXECUTOR_PORT: '0',
        OFFSTAGE_EXECUTOR_INLINE_SLOTS: '5000',
      },
      ready: SERVING,
    }),
  )
  const databaseUrl = await postgres.createDatabase()
  return {
    scheduler: address,
    schedulerPid: scheduler.pid,
    jobsDatabaseUrl,
    databaseUrl,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
