/** What callers may ask of jobs: the use cases, wired to what they need. */
import type { Turns } from '@offstage/kit/fairness'
import { createExplainJob, type ExplainJob } from '../admission/explain.ts'
import type { Dispatch } from '../dispatch/dispatch.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { Methods } from '../executors/methods.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import { Checks } from '../schemas/checks.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { JOBS_PER_READ_MAX, JobWatch } from '../waits/job-watch.ts'
import { type BulkJobs, createBulkJobs } from './bulk-jobs.ts'
import type { Caller } from './caller.ts'
import {
  type CancelJob,
  createCancelJob,
  createTellCanceled,
  type TellCanceled,
} from './cancel-job.ts'
import { createCancelLeftBehind } from './cancel-left-behind.ts'
import { type CancelRunning, createCancelRunning } from './cancel-running.ts'
import { createCarryBulk } from './carry-bulk.ts'
import { type ChangeHistory, createChangeHistory } from './change-history.ts'
import { createCheckSqlStarts } from './check-sql-starts.ts'
import { type CheckStart, createCheckStart } from './check-start.ts'
import { createFindJobs, type FindJobs } from './find-jobs.ts'
import { createLimitRate } from './limit-rate.ts'
import { createRecordReads } from './payload-reads.ts'
import { createRetryJob, type RetryJob } from './retry-job.ts'
import { createSharedReads } from './shared-reads.ts'
import { sightOf } from './sight.ts'
import { createStartJobs, type StartJobs } from './start-jobs.ts'

export interface JobsOptions {
  readonly stores: Pick<
    SchedulerStores,
    'calls' | 'acts' | 'history' | 'sqlStarts' | 'bulk' | 'parents'
  >
  readonly attachments: Attachments
  readonly methods: Methods
  readonly dispatch: Pick<Dispatch, 'starts' | 'changed' | 'limitsOf'>
  readonly feed: JobFeed
  readonly events: JobEvents
  readonly leaseMs: number
  readonly startsPerSecond?: number | undefined
  /** Watches read in turn. */
  readonly reads: Turns
  readonly newId: () => string
}

export interface Jobs {
  readonly bulk: BulkJobs
  /** Carries on what was asked for by {@link bulk}: a sweep. */
  readonly carryBulk: (signal: AbortSignal) => Promise<void>
  /** Is told when there is something for it. */
  onBulk(wake: () => void): void
  readonly startJobs: StartJobs
  /** Whether a job may be started. */
  readonly checkStart: CheckStart
  readonly tellCanceled: TellCanceled
  readonly findJobs: FindJobs
  readonly cancelJob: CancelJob
  readonly cancelRunning: CancelRunning
  /** Swept: cancels attached children that nobody waits for any more. */
  cancelLeftBehind(signal: AbortSignal): Promise<void>
  readonly retryJob: RetryJob
  readonly explainJob: ExplainJob
  readonly changeHistory: ChangeHistory
  /** Swept: queues what was started by SQL and had to be looked at. */
  checkSqlStarts(signal: AbortSignal): Promise<void>
  newWatch(caller: Caller, namespace: string): JobWatch
}

/** Of one statement. */
const STANDINGS_MAX = 2_000

export function createJobs(options: JobsOptions): Jobs {
  const { stores, attachments, methods, dispatch, feed, events, leaseMs, reads, newId } = options
  const { calls: store, acts, history, sqlStarts, bulk } = stores
  const { starts, changed, limitsOf } = dispatch
  const readStandings = createSharedReads((asked) => store.readStandings(asked), STANDINGS_MAX)
  const readWatched = createSharedReads((asked) => store.readWatched(asked), JOBS_PER_READ_MAX)
  const recordReads = createRecordReads(acts)
  const checks = new Checks()
  const findJobs = createFindJobs({ store, feed, readStandings, recordReads })
  const cancelJob = createCancelJob({ store, attachments, events, leaseMs, changed })
  const limitRate = createLimitRate(options.startsPerSecond)
  let wakeBulk = () => {}
  const tellCanceled = createTellCanceled({ attachments, events })
  return {
    bulk: createBulkJobs({
      ...{ bulk, store, feed, readStandings, limitRate, newId },
      onStarted: () => wakeBulk(),
    }),
    carryBulk: createCarryBulk({ bulk, methods, feed, events, leaseMs, changed, tellCanceled }),
    onBulk(wake) {
      wakeBulk = wake
    },
    checkStart: createCheckStart({ methods, store, attachments, checks, limitsOf }),
    tellCanceled,
    startJobs: createStartJobs({
      ...{ starts, methods, feed, readStandings, recordReads, store, attachments },
      checks,
      limitsOf,
      limitRate,
    }),
    findJobs,
    cancelJob,
    cancelRunning: createCancelRunning(store, cancelJob),
    cancelLeftBehind: createCancelLeftBehind({
      ...{ store, attachments, events, leaseMs, changed },
      parents: stores.parents,
    }),
    retryJob: createRetryJob({ store, methods, findJobs, changed }),
    explainJob: createExplainJob(store),
    changeHistory: createChangeHistory(history),
    checkSqlStarts: createCheckSqlStarts({
      ...{ methods, checks, limitsOf, changed },
      store: sqlStarts,
    }),
    newWatch: (caller, namespace) =>
      new JobWatch({
        feed,
        namespace,
        read: readWatched(caller, namespace),
        readMessages: (id, after, limit) => store.readMessages(id, after, limit),
        caller: caller.user,
        inTurn: (read) => reads.take(caller.user, undefined, read),
        sightOf: (owner) => sightOf(caller, { namespace, owner }),
        onRead: (jobs) => recordReads(caller, namespace, jobs),
      }),
  }
}
