/**
 * The scheduler, put together from its parts. It owns jobs, and keeps nothing that the database does not: any number of
 * replicas work over one database.
 */
import { hostname } from 'node:os'
import type { Authenticate } from '@offstage/kit/auth'
import type { Bus, Subscription } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { createGrpcServer } from '@offstage/kit/grpc'
import { composeServices, createService, type Service } from '@offstage/kit/lifecycle'
import { createTroubleLog, type Logger, logOutages } from '@offstage/kit/telemetry'
import { ExecutorServiceService } from '@offstage/proto/executor'
import {
  JobServiceService,
  NamespaceServiceService,
  ScheduleServiceService,
} from '@offstage/proto/jobs'
import { createAdmission } from './admission/admission.ts'
import { createExplainJob } from './admission/explain.ts'
import type { SchedulerConfig } from './config.ts'
import { Backlog } from './dispatch/backlog.ts'
import { createBatcher } from './dispatch/batcher.ts'
import { createChanges } from './dispatch/changes.ts'
import { createClaims } from './dispatch/claims.ts'
import { createDeliver } from './dispatch/deliver.ts'
import { createEnds } from './dispatch/ends.ts'
import { createStarts } from './dispatch/starts.ts'
import type { JobStanding } from './domain/job.ts'
import { createJobEvents } from './events/job-events.ts'
import { Attachments } from './executors/attachments.ts'
import { createLeases } from './executors/leases.ts'
import { Methods } from './executors/methods.ts'
import { createReports } from './executors/reports.ts'
import { createServeExecutor } from './executors/serve-executor.ts'
import { createStrays } from './executors/strays.ts'
import { scheduleService } from './grpc/coming-services.ts'
import { executorService } from './grpc/executor-service.ts'
import { jobService } from './grpc/job-service.ts'
import { listExecutors } from './grpc/list-executors.ts'
import { listMethods } from './grpc/list-methods.ts'
import { namespaceService } from './grpc/namespace-service.ts'
import { newJobId } from './job-id.ts'
import { createCancelJob } from './jobs/cancel-job.ts'
import { createFindJobs } from './jobs/find-jobs.ts'
import { createStartJobs } from './jobs/start-jobs.ts'
import { createPauses } from './namespaces/pause.ts'
import type { JobStore } from './ports.ts'
import { overloaded } from './refusals.ts'
import { createAttachmentStore } from './store/attachments.ts'
import { type SchedulerDatabases, sharedDatabase } from './store/databases.ts'
import { createGateStore } from './store/gates.ts'
import { createJobStore, createSweepStore, migrateJobs } from './store/job-store.ts'
import { createLeaseStore } from './store/leases.ts'
import { createMethodStore } from './store/methods.ts'
import { createUpkeep } from './upkeep/upkeep.ts'
import { JobFeed } from './waits/job-feed.ts'
import { JobWatch } from './waits/job-watch.ts'
import { createWaitSweep } from './waits/wait-sweep.ts'
import type { ReadStandings } from './waits/waiter.ts'

export interface SchedulerOptions {
  readonly config: Omit<SchedulerConfig, 'databaseUrl' | 'natsUrl'>
  /** Migrated at the start; not closed at the stop. One where nothing needs to be set apart. */
  readonly database: Database | SchedulerDatabases
  readonly bus: Bus
  readonly log: Logger
  /** Says who calls. Default: everybody is a developer with all rights, on loopback addresses only. */
  readonly authenticate?: Authenticate
}

export interface Scheduler extends Service {
  /** `host:port` it listens on, once started. */
  readonly address: string
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { config, bus, log, authenticate } = options
  const { database } = options
  const databases = 'calls' in database ? database : sharedDatabase(database)
  const schedulerName = `${hostname()}:${process.pid}`
  const onError = createTroubleLog(log, 'upkeep failed; it will be tried again')
  // Leases never rest, so an outage is noticed there; and they wait for nobody else's connections.
  logOutages(log, { database: databases.leases, bus })
  const store = createJobStore(databases.calls)
  const work = createJobStore(databases.work)
  const sweeps = createSweepStore(databases.work)
  const attachmentStore = createAttachmentStore(databases.leases)
  const events = createJobEvents(bus)
  const feed = new JobFeed(events)
  const attachments = new Attachments()
  const methods = new Methods(createMethodStore(databases.leases))
  const readStandings = createReadStandings(store)

  const changed = createChanges({
    feed,
    events,
    backlog: () => backlog,
    keyFreed: () => upkeep.keyFreed(),
  })
  const unsent = (attempts: Parameters<typeof ends.requeue>[0]) => {
    ends.requeue(attempts).catch(onError)
  }
  const streams = new Map<string, () => void>()
  const close = (attachmentId: string) => streams.get(attachmentId)?.()
  const deliver = createDeliver({ attachments, close, log })
  const ends = createEnds({ store: work, changed, onError })
  const admission = createAdmission({
    gates: createGateStore(databases.work),
    events,
    everyMs: config.claimSweepMs,
    opened: (namespace, method) => {
      const open = method === undefined ? attachments.methodsIn(namespace) : [method]
      for (const each of open) backlog.add({ namespace, method: each })
    },
    onError,
  })
  const claims = createClaims({
    store: work,
    attachments,
    admission,
    backlog: () => backlog,
    sweepMs: config.claimSweepMs,
    deliver,
    unsent,
    lost: (ids) => strays.suspect(ids),
    onError,
  })
  const strays = createStrays({
    sweeps,
    attachments,
    everyMs: config.claimSweepMs * 5,
    requeue: unsent,
    onError,
  })
  const backlog = new Backlog(() => claims.wake())
  const upkeep = createUpkeep({
    sweeps,
    attachments,
    dueMs: config.dueSweepMs,
    leaseMs: config.sessionLeaseMs,
    changed,
    onError,
  })
  let stopping = false
  const leases = createLeases({
    attachments,
    store: attachmentStore,
    leases: createLeaseStore(databases.leases),
    leaseMs: config.sessionLeaseMs,
    crashLimit: config.crashLimit,
    close,
    changed,
    log,
    onError,
  })
  const starts = createStarts({
    store,
    attachments,
    admission,
    backlog,
    events,
    newId: newJobId,
    deliver,
    unsent,
    onError,
  })
  const serve = createServeExecutor({
    attachments,
    attachmentStore,
    sweeps,
    methods,
    ends,
    reports: createReports({ store: work, feed, events, onError }),
    backlog,
    events,
    schedulerName,
    leaseMs: config.sessionLeaseMs,
    newId: newJobId,
    streams,
    stopping: () => stopping,
    changed,
    wakeClaims: () => claims.wake(),
    log,
    onError,
  })
  const jobs = jobService(
    {
      startJobs: createStartJobs({ starts, methods, feed, readStandings }),
      findJobs: createFindJobs({ store, feed, readStandings }),
      cancelJob: createCancelJob({
        store,
        attachments,
        events,
        leaseMs: config.sessionLeaseMs,
        changed,
      }),
      explainJob: createExplainJob(store),
      newWatch: (options) => new JobWatch({ feed, store, ...options }),
    },
    log,
  )
  const gates = createGateStore(databases.calls)
  const namespaces = namespaceService({
    pauses: createPauses({ gates, methods, events }),
    readNamespace: gates.readNamespace,
    listExecutors: listExecutors(attachmentStore),
    listMethods: listMethods(createMethodStore(databases.calls)),
  })
  const server = createGrpcServer({
    name: 'scheduler',
    host: config.host,
    port: config.port,
    services: [
      { definition: JobServiceService, implementation: jobs },
      { definition: ScheduleServiceService, implementation: scheduleService },
      { definition: NamespaceServiceService, implementation: namespaces },
      {
        definition: ExecutorServiceService,
        implementation: executorService({ serve, leaseMs: config.sessionLeaseMs, schedulerName }),
      },
    ],
    log,
    ...(authenticate && { authenticate }),
  })

  const service = composeServices('scheduler', [
    createService({
      name: 'job tables',
      start: () => migrateJobs(databases.calls),
      stop: async () => {},
    }),
    queueHints(() =>
      events.onQueueReady((namespace, method) => backlog.add({ namespace, method })),
    ),
    admission,
    claims,
    leases,
    upkeep,
    strays,
    createWaitSweep({ feed, store, everyMs: config.waitSweepMs, onError }),
    server,
    createService({
      name: 'executor streams',
      start: async () => {},
      // First at the stop: executors attach to another replica and go on with what they run.
      stop: async () => {
        stopping = true
        for (const attachment of attachments.all()) attachment.drain()
        await new Promise(setImmediate)
        for (const close of [...streams.values()]) close()
      },
    }),
  ])
  return {
    start: service.start,
    stop: service.stop,
    [Symbol.asyncDispose]: service[Symbol.asyncDispose],
    get address() {
      return server.address
    },
  }
}

/** Reads that come while a statement is in flight share the next one. */
function createReadStandings(store: JobStore): ReadStandings {
  const reads = createBatcher<string, JobStanding | undefined>({
    async run(ids) {
      const standings = await store.readStandings(ids)
      const byId = new Map(standings.map((standing) => [standing.id, standing]))
      return ids.map((id) => byId.get(id))
    },
    maxItems: 2_000,
    maxQueued: 100_000,
    concurrency: 2,
    overflow: () => overloaded('reads'),
  })
  return reads.add
}

function queueHints(subscribe: () => Subscription): Service {
  let subscription: Subscription | undefined
  return createService({
    name: 'queue hints',
    async start() {
      subscription = subscribe()
    },
    async stop() {
      subscription?.unsubscribe()
    },
  })
}
