/**
 * The scheduler, put together from its rooms. It owns jobs, and keeps nothing that the database does not: any number of
 * replicas work over one database.
 */
import { hostname } from 'node:os'
import type { Authenticate } from '@offstage/kit/auth'
import type { Bus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { createGrpcServer, type ServerTls } from '@offstage/kit/grpc'
import { composeServices, createService, createUpkeep, type Service } from '@offstage/kit/lifecycle'
import { createTroubleLog, type Logger, logOutages, type Measures } from '@offstage/kit/telemetry'
import type { AttemptTokens } from './attempts/attempt-tokens.ts'
import type { EmbeddedSchedulerConfig } from './config.ts'
import { createDispatch } from './dispatch/dispatch.ts'
import { NEXT_IS_DUE } from './domain/schedule-run.ts'
import { createHints } from './events/hints.ts'
import { createJobEvents } from './events/job-events.ts'
import { Attachments } from './executors/attachments.ts'
import { createExecutors } from './executors/executors.ts'
import { executorMeasures } from './executors/measures.ts'
import { Methods } from './executors/methods.ts'
import { listActs } from './grpc/list-acts.ts'
import { listExecutors } from './grpc/list-executors.ts'
import { listMethods } from './grpc/list-methods.ts'
import { lockCalls } from './grpc/lock-calls.ts'
import { previewRetention } from './grpc/preview-retention.ts'
import { createReadingTurns } from './grpc/reading-turns.ts'
import { grpcServices } from './grpc/services.ts'
import { newJobId } from './job-id.ts'
import { createJobs } from './jobs/jobs.ts'
import { createRecordReads } from './jobs/payload-reads.ts'
import { createLoadReading } from './load/load-reading.ts'
import { loadMeasures } from './load/measures.ts'
import { createScaling } from './load/scaling.ts'
import { LockLine } from './locks/lock-line.ts'
import { createLocks } from './locks/locks.ts'
import { createCallerLeases } from './namespaces/caller-leases.ts'
import { createExclusiveMode } from './namespaces/exclusive-mode.ts'
import { createPauses } from './namespaces/pause.ts'
import { createPreviewRetention } from './namespaces/preview-retention.ts'
import { createSettings } from './namespaces/settings.ts'
import { createDeclareSchedules } from './schedules/declare.ts'
import { createRunSchedules } from './schedules/run-schedules.ts'
import { createSchedules } from './schedules/schedules.ts'
import { type SchedulerDatabases, sharedDatabase } from './store/databases.ts'
import { migrateJobs } from './store/job-store.ts'
import { createStores } from './store/stores.ts'
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
  const { acts, gates, sweeps, calls: store } = stores
  const onError = createTroubleLog(log, 'upkeep failed; it will be tried again')
  const onLoad = createTroubleLog(log, 'how busy the whole is cannot be read; it is tried again')
  // Leases never rest, so an outage is noticed there; and they wait for nobody else's connections.
  logOutages(log, { database: databases.leases, bus })

  const events = createJobEvents(bus)
  const feed = new JobFeed(events, WAITED_FOR_MAX, config.callerWatchedMax)
  const attachments = new Attachments()
  const methods = new Methods(stores.methods)
  const known = { ...config, leaseMs, stores, attachments, methods, feed, events, log, onError }
  const dispatch = createDispatch({ ...known, newId: newJobId })
  const schedulerName = `${hostname()}:${process.pid}`
  const executors = createExecutors({ ...known, intake: dispatch, schedulerName, newId: newJobId })
  const load = createLoadReading({ store: stores.load })
  const scaling = createScaling(load, events)
  const turns = createReadingTurns(databases)
  const { retention, history, bulk, callerLeases } = stores
  const swept = { sweeps, acts, pace: stores.pace, retention, callerLeases }
  const jobs = createJobs({
    ...known,
    store,
    dispatch,
    reads: turns.reads,
    acts,
    history,
    sqlStarts: stores.sqlStarts,
    bulk,
    newId: newJobId,
  })
  const lockLine = new LockLine({ store: stores.locks, feed })
  const namespaces = {
    pauses: createPauses({ gates, methods, events }),
    leases: createCallerLeases(callerLeases, newJobId, dispatch.gatesChanged),
    exclusiveMode: createExclusiveMode({
      store: stores.exclusiveMode,
      cancelJob: jobs.cancelJob,
      gatesChanged: dispatch.gatesChanged,
    }),
    cancelRunning: jobs.cancelRunning,
    settings: createSettings(stores.namespaces, dispatch.gatesChanged),
    previewRetention: previewRetention(
      createPreviewRetention(stores.namespaces, stores.retention),
      turns.listings,
    ),
    listExecutors: listExecutors(stores.callAttachments, turns.reads),
    listMethods: listMethods(stores.callMethods, turns.reads),
    listActs: listActs(acts, turns.listings),
    lockCalls: lockCalls(
      createLocks({ store: stores.locks, line: lockLine, events }),
      turns.listings,
    ),
  }
  const { checkStart, startJobs } = jobs
  const { changed } = dispatch
  const runSchedules = createRunSchedules({
    ...{ store: stores.scheduleRuns, checkStart, leaseMs, changed, onError },
    canceled: (canceled) => jobs.tellCanceled(canceled, NEXT_IS_DUE),
  })
  const ofSchedules = { store: stores.schedules, checkStart, events, newId: newJobId }
  const { wake } = runSchedules
  const schedules = createSchedules({
    ...{ ...ofSchedules, runs: stores.scheduleRuns, jobs: store, startJobs, changed, wake },
    recordReads: createRecordReads(stores.acts),
  })
  const declared = stores.declaredSchedules
  const declare = createDeclareSchedules({ ...ofSchedules, declared, wake, onError })
  const { jobValues } = stores
  const use = { jobs, schedules, declare, namespaces, executors, jobValues, attempts, scaling }
  const services = grpcServices(use, turns, log)
  const server = createGrpcServer({
    name: 'scheduler',
    host,
    port,
    services,
    log,
    authenticate,
    tls,
    limits: config,
  })
  let unchecked = () => {}
  const onUncheckedStarts = (listener: () => void) => {
    unchecked = listener
  }
  const sqlStarts = databases.listen?.({
    queued: dispatch.heard,
    unchecked: () => unchecked(),
    onError: createTroubleLog(log, 'jobs started by SQL are found by the sweep alone'),
  })
  const { checkSqlStarts } = jobs
  const tables = createService({
    name: 'job tables',
    start: (signal) => migrateJobs(databases.calls, { warn: (text) => log.warn(text), signal }),
    stop: async () => {},
  })
  const service = composeServices('scheduler', [
    tables,
    dispatch,
    executors,
    createUpkeep(
      sweepsOf({
        ...{ ...known, ...swept, store, dispatch, jobs, checkSqlStarts, onUncheckedStarts },
        ...{ schedules: runSchedules, locks: stores.locks, lockLine },
      }),
      onError,
    ),
    createHints('schedule hints', () => events.onSchedulesChanged(runSchedules.wake)),
    createHints('lock hints', () => events.onLocksChanged(lockLine.changed)),
    ...(sqlStarts === undefined ? [] : [sqlStarts]),
    server,
    executors.streams,
  ])
  return {
    ...service,
    get address() {
      return server.address
    },
    get unready() {
      return server.unready
    },
    measures: [
      loadMeasures(load, onLoad),
      executorMeasures(attachments, executors.counts),
      server.measures,
    ],
  }
}
