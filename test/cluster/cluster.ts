/** The services as processes of their own over real PostgreSQL and NATS, several of each where a test wants. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createSharedDatabase,
  type SpawnedProcess,
  spawnProcess,
  startNats,
  startPostgres,
  type TestNats,
  type TestNatsOptions,
  type TestPostgres,
  type TestPostgresOptions,
  until,
} from '@offstage/testkit'
import { callingAs } from '../guarded/access.ts'
import { migrated } from './migrated.ts'

export interface ClusterOptions {
  /** Module with the jobs the executors run. */
  readonly jobs: URL
  readonly schedulers: number
  readonly executors: number
  /** How many storage services, over one folder; true: one. */
  readonly storage?: boolean | number
  /** The executors' lease. Default `2s`. */
  readonly lease?: string
  /** What NATS is to ask of its clients. Default: nothing. */
  readonly nats?: TestNatsOptions
  /** How a PostgreSQL of its own is to be, which the test may stop, pause and kill. Default: a database of the one that clusters share. */
  readonly postgres?: TestPostgresOptions
  /** Added to the environment of the processes of one service. */
  envOf?(service: Service, cluster: Pick<Cluster, 'nats' | 'databaseUrl'>): NodeJS.ProcessEnv
  /** What is done to the database before a service sees it. */
  prepareDatabase?(url: string): Promise<void>
  /** The program of a service to begin with, where it is not that of this checkout. */
  mainOf?(service: Service): URL | undefined
  /** Added to the environment of every process. */
  readonly env?: Readonly<Record<string, string>>
}

export type Service = 'scheduler' | 'storage' | 'executor'

export interface ClusterMember {
  /** The present one. */
  readonly process: SpawnedProcess
  readonly address: string
  /**
   * Starts it anew on its address, once its process has ended.
   *
   * @param main another version of it from now on
   */
  restart(main?: URL): Promise<void>
}

export interface Cluster extends AsyncDisposable {
  /** Its own; throws where it has none. */
  readonly postgres: TestPostgres
  readonly databaseUrl: string
  readonly nats: TestNats
  readonly schedulers: readonly ClusterMember[]
  readonly executors: readonly ClusterMember[]
  readonly storages: readonly ClusterMember[]
  /** A gRPC target of them. */
  readonly storage: string
  /** Every process of ours. */
  readonly members: readonly ClusterMember[]
  /** A gRPC target of every scheduler, the one at `first` tried first. */
  target(first?: number): string
}

const SERVING = /"address":"([^"]+)".*serving gRPC/
const LEASE = '2s'

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const stack = new AsyncDisposableStack()
  try {
    return await start(options, stack)
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function start(options: ClusterOptions, stack: AsyncDisposableStack): Promise<Cluster> {
  const { postgres, url: databaseUrl } = await databaseFor(options, stack)
  const nats = stack.use(await startNats(options.nats))
  await options.prepareDatabase?.(databaseUrl)
  const data = await mkdtemp(join(tmpdir(), 'offstage-values-'))
  stack.defer(() => rm(data, { recursive: true }))
  const spawned: Record<Service, SpawnedProcess[]> = { scheduler: [], storage: [], executor: [] }
  // A member that a test has killed is not expected to end in order.
  const stop = (service: Service) =>
    Promise.all(spawned[service].map((child) => child.kill('SIGTERM').catch(() => {})))
  stack.defer(async () => void (await Promise.all([stop('storage'), stop('scheduler')])))
  // Before those that take what they hand back.
  stack.defer(async () => void (await stop('executor')))
  const common = { OFFSTAGE_NATS_URL: nats.url, OFFSTAGE_LOG_LEVEL: 'info', ...options.env }
  const member = async (service: Service, own: Record<string, string>): Promise<ClusterMember> => {
    const env = { ...own, ...options.envOf?.(service, { nats, databaseUrl }) }
    const present = new URL(`../../services/${service}/src/main.ts`, import.meta.url)
    let main = options.mainOf?.(service) ?? present
    const spawn = async (more: Record<string, string> = {}) => {
      const child = await spawnProcess({
        main,
        // A tree that is removed later would stay in the cache of what is compiled.
        env: {
          ...(main !== present && { NODE_COMPILE_CACHE: undefined }),
          ...common,
          ...env,
          ...more,
        },
        ready: SERVING,
      })
      spawned[service].push(child)
      return child
    }
    let child = await spawn()
    const address = child.ready[1] ?? ''
    return {
      get process() {
        return child
      },
      address,
      async restart(next = main) {
        main = next
        const port = address.slice(address.lastIndexOf(':') + 1)
        child = await spawn({ [`OFFSTAGE_${service.toUpperCase()}_PORT`]: port })
      },
    }
  }
  const schedulers = await members(options.schedulers, () =>
    member('scheduler', {
      OFFSTAGE_SCHEDULER_PORT: '0',
      OFFSTAGE_SCHEDULER_DATABASE_URL: databaseUrl,
      OFFSTAGE_SCHEDULER_SESSION_LEASE: options.lease ?? LEASE,
    }),
  )
  const target = (first = 0) => {
    const addresses = schedulers.map(({ address }) => address)
    return `ipv4:${[...addresses.slice(first), ...addresses.slice(0, first)].join(',')}`
  }
  const storages = await members(Number(options.storage ?? 0), () =>
    member('storage', {
      OFFSTAGE_STORAGE_PORT: '0',
      OFFSTAGE_SCHEDULER: target(),
      OFFSTAGE_STORAGE_DATABASE_URL: databaseUrl,
      OFFSTAGE_STORAGE_DATA_DIR: data,
      ...tokenOf('service'),
    }),
  )
  const [first, ...others] = storages.map(({ address }) => address)
  const storage = others.length === 0 ? (first ?? '') : `ipv4:${[first, ...others].join(',')}`
  const executors = await members(options.executors, (index) =>
    member('executor', {
      OFFSTAGE_SCHEDULER: target(index % schedulers.length),
      OFFSTAGE_STORAGE: storage,
      OFFSTAGE_JOBS: options.jobs.pathname,
      OFFSTAGE_EXECUTOR_PORT: '0',
      // Not who starts the jobs.
      ...tokenOf('executor'),
    }),
  )
  // Methods are known once an executor has announced them.
  const isAttached = ({ process }: ClusterMember) => process.stdout.includes('"msg":"attached"')
  await until(() => executors.every(isAttached), { what: 'executors to attach' })
  const dispose = () => stack.disposeAsync()
  const all = [...schedulers, ...storages, ...executors]
  const parts = {
    get postgres() {
      if (postgres === undefined)
        throw new Error('the cluster was started without a postgres of its own')
      return postgres
    },
    databaseUrl,
    nats,
    schedulers,
    executors,
    storages,
    storage,
    members: all,
    target,
  }
  return Object.assign(parts, { [Symbol.asyncDispose]: dispose })
}

/** Where each brings the database to its own version, or the test prepares it, they begin with an empty one. */
async function databaseFor(
  { postgres: own, prepareDatabase, mainOf }: ClusterOptions,
  stack: AsyncDisposableStack,
) {
  if (own !== undefined) {
    const postgres = stack.use(await startPostgres(own))
    return { postgres, url: await postgres.createDatabase() }
  }
  const isEmpty = prepareDatabase !== undefined || mainOf !== undefined
  const { url } = stack.use(await createSharedDatabase(isEmpty ? undefined : migrated))
  return { postgres: undefined, url }
}

/** Of who runs a service, where the test is guarded. */
function tokenOf(role: 'executor' | 'service'): { readonly OFFSTAGE_TOKEN?: string } {
  const { token } = callingAs(role)
  return token === undefined ? {} : { OFFSTAGE_TOKEN: token }
}

function members<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => make(index)))
}
