/**
 * The scheduler, put together from its rooms. It owns jobs, and keeps nothing that the database does not: any number of
 * replicas work over one database.
 */
import { hostname } from 'node:os'
import type { Authenticate } from '@offstage/kit/auth'
import type { Bus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { createGrpcServer, type ServerTls } from '@offstage/kit/grpc'
import { composeServices, createUpkeep, type Service } from '@offstage/kit/lifecycle'
import { createTroubleLog, type Logger, logOutages, type Measures } from '@offstage/kit/telemetry'
import type { AttemptTokens } from './attempts/attempt-tokens.ts'
import type { EmbeddedSchedulerConfig } from './config.ts'
import { createDispatch } from './dispatch/dispatch.ts'
import { createJobEvents } from './events/job-events.ts'
import { Attachments } from './executors/attachments.ts'
import { createExecutors } from './executors/executors.ts'
import { executorMeasures } from './executors/measures.ts'
import { Methods } from './executors/methods.ts'
import { createReadingTurns } from './grpc/reading-turns.ts'
import { grpcServices } from './grpc/services.ts'
import { newJobId } from './job-id.ts'
import { createJobs } from './jobs/jobs.ts'
import { createSqlStartNews } from './jobs/sql-start-news.ts'
import { createLoadReading } from './load/load-reading.ts'
import { loadMeasures } from './load/measures.ts'
import { createScaling } from './load/scaling.ts'
import { createLocking } from './locks/locking.ts'
import { createNamespaces } from './namespaces/namespaces.ts'
import { createRefreshing } from './refreshes/refreshing.ts'
import { createScheduling } from './schedules/scheduling.ts'
import { type SchedulerDatabases, sharedDatabase } from './store/databases.ts'
import { createStores } from './store/stores.ts'
import { createTables } from './store/tables.ts'
import { sweepsOf } from './upkeep/sweeps.ts'
import { JobFeed, WAITED_FOR_MAX } from './waits/job-feed.ts'

export interface SchedulerOptions {
  readonly config: EmbeddedSchedulerConfig
  /** Migrated at the start; not closed at the stop. One where nothing needs to be set apart. */
  readonly database: Database | SchedulerDatabases
  /** Stays the caller's. */
  readonly bus: Bus
  readonly log: Logger
  /** Says who calls. Default: everybody is a developer with all rights, on loopback addresses only. */
  readonly authenticate?: Authenticate
  /** Tokens by which handlers act for the owners of their jobs. Absent: there are none, as in development. */
  readonly attempts?: AttemptTokens
  /** Default: plain text. */
  readonly tls?: ServerTls
}

export interface Scheduler extends Service {
  /** `host:port` it listens on, once started. */
  readonly address: string
  /** Why it takes no calls now, such as `not started` and `overloaded`; undefined while it does. */
  readonly unready: string | undefined
  /** How busy the whole of all replicas is, and what this one has to do with it. */
  readonly measures: readonly Measures[]
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { config, database, bus, log, authenticate, attempts, tls } = options
  const { host, port, sessionLeaseMs: leaseMs } = config
  const databases = 'calls' in database ? database : sharedDatabase(database)
  const stores = createStores(databases)
  const onError = createTroubleLog(log, 'upkeep failed; it will be tried again')
  // Leases never rest, so an outage is noticed there; and they wait for nobody else's connections.
  logOutages(log, { database: databases.leases, bus })

  const events = createJobEvents(bus)
  const feed = new JobFeed(events, WAITED_FOR_MAX, config.callerWatchedMax)
  const attachments = new Attachments()
  databases.leases.onReachableChange(() => attachments.doubt())
  const methods = new Methods(stores.methods)
  const turns = createReadingTurns(databases)
  const known = {
    ...{ ...config, leaseMs, stores, attachments, methods, feed, events, log, onError },
    newId: newJobId,
  }

  const dispatch = createDispatch(known)
  const { changed, gatesChanged, heard: queued } = dispatch
  const schedulerName = `${hostname()}:${process.pid}`
  const executors = createExecutors({ ...known, intake: dispatch, schedulerName })
  const jobs = createJobs({ ...known, dispatch, reads: turns.reads })
  const namespaces = createNamespaces({ ...known, jobs, gatesChanged })
  const scheduling = createScheduling({ ...known, jobs, changed })
  const locking = createLocking({
    ...{ store: stores.locks, workStore: stores.workLocks },
    ...{ feed, events },
  })
  const refreshing = createRefreshing({ stores, events })
  const sqlStartNews = createSqlStartNews(databases.listen, {
    queued,
    onError: createTroubleLog(log, 'jobs started by SQL are found by the sweep alone'),
  })
  const load = createLoadReading({ store: stores.load })
  const scaling = createScaling(load, events)

  const { schedules, declare, runs } = scheduling
  const { locks, line: lockLine } = locking
  const { refreshes, feed: refreshFeed } = refreshing
  const use = { jobs, namespaces, locks, refreshes, schedules, declare, executors, stores }
  const services = grpcServices({ ...use, attempts, scaling }, turns, log)
  const identity = { authenticate, tls, limits: config }
  const server = createGrpcServer({ name: 'scheduler', host, port, services, log, ...identity })
  const heard = { sqlStartNews, schedules: runs, lockLine, refreshFeed }
  const sweeps = sweepsOf({ ...known, dispatch, jobs, ...heard })
  const service = composeServices('scheduler', [
    createTables(databases.calls, log),
    dispatch,
    executors,
    createUpkeep(sweeps, onError),
    scheduling.hints,
    locking.hints,
    refreshing.hints,
    ...sqlStartNews.services,
    server,
    executors.streams,
  ])
  const onLoad = createTroubleLog(log, 'how busy the whole is cannot be read; it is tried again')
  const measures = [
    loadMeasures(load, onLoad),
    executorMeasures(attachments, executors.counts),
    refreshing.measures,
    server.measures,
  ]
  return {
    ...service,
    measures,
    get address() {
      return server.address
    },
    get unready() {
      return server.unready
    },
  }
}
