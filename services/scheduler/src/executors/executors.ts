/** Executors as this replica knows them: how they attach, what they report, and how long what they run stays theirs. */
import { composeServices, createService, type Service } from '@offstage/kit/lifecycle'
import type { Logger } from '@offstage/kit/telemetry'
import type { JobEvents } from '../events/job-events.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import type { Attachments } from './attachments.ts'
import type { Intake } from './intake.ts'
import { createLeases, type LeaseCounts } from './leases.ts'
import type { Methods } from './methods.ts'
import { createReports } from './reports.ts'
import { createServeExecutor, type ServeExecutor } from './serve-executor.ts'

export interface ExecutorsOptions {
  readonly stores: Pick<SchedulerStores, 'work' | 'sweeps' | 'attachments' | 'leases'>
  readonly attachments: Attachments
  readonly methods: Methods
  readonly intake: Intake
  readonly feed: JobFeed
  readonly events: JobEvents
  /** By which executors know this replica. */
  readonly schedulerName: string
  readonly leaseMs: number
  readonly crashLimit: number
  readonly newId: () => string
  readonly log: Logger
  onError(error: unknown): void
}

/** Started and stopped, it keeps leases. */
export interface Executors extends Service {
  readonly serve: ServeExecutor
  readonly schedulerName: string
  readonly leaseMs: number
  readonly counts: Readonly<LeaseCounts>
  /** To be started last, and so stopped first: ends the streams, so that executors attach elsewhere. */
  readonly streams: Service
}

export function createExecutors(options: ExecutorsOptions): Executors {
  const { stores, attachments, methods, intake, feed, events, log, onError } = options
  const { schedulerName, leaseMs, crashLimit, newId } = options
  const counts = { leasesLost: 0, jobsReleased: 0 }
  const leases = createLeases({
    attachments,
    counts,
    store: stores.attachments,
    leases: stores.leases,
    leaseMs,
    crashLimit,
    changed: intake.changed,
    log,
    onError,
  })
  const serve = createServeExecutor({
    attachments,
    attachmentStore: stores.attachments,
    sweeps: stores.sweeps,
    methods,
    intake,
    reports: createReports({ store: stores.work, feed, events, onError }),
    events,
    schedulerName,
    leaseMs,
    newId,
    log,
    onError,
  })
  const streams = createService({
    name: 'executor streams',
    start: async () => {},
    stop: () => attachments.close(),
  })
  return {
    ...composeServices('executors', [leases]),
    ...{ serve, schedulerName, leaseMs, counts, streams },
  }
}
