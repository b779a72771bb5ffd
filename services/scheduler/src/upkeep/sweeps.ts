/** All that is swept, each an entry: what hints and events have missed, and what only time brings about. */
import type { Sweep } from '@offstage/kit/lifecycle'
import type { Dispatch } from '../dispatch/dispatch.ts'
import type { ChangedJob } from '../domain/held-job.ts'
import { LOOK_MS } from '../executors/attachment.ts'
import type { Attachments } from '../executors/attachments.ts'
import { endOverdue } from '../executors/end-overdue.ts'
import type { Methods } from '../executors/methods.ts'
import { sendCancels } from '../executors/send-cancels.ts'
import { createFindStrays } from '../executors/strays.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { SqlStartNews } from '../jobs/sql-start-news.ts'
import type { LockLine } from '../locks/lock-line.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import type { RefreshFeed } from '../refreshes/refresh-feed.ts'
import type { RunSchedules } from '../schedules/run-schedules.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { compareAwaited } from '../waits/wait-sweep.ts'
import { createRetentionSweep } from './retention.ts'

export interface SweepsOptions {
  readonly dueSweepMs: number
  readonly claimSweepMs: number
  readonly waitSweepMs: number
  readonly actsKeptMs: number
  readonly retentionSweepMs: number
  readonly refreshSweepMs: number
  readonly leaseMs: number
  readonly stores: Pick<
    SchedulerStores,
    | 'calls'
    | 'sweeps'
    | 'acts'
    | 'pace'
    | 'callerLeases'
    | 'retention'
    | 'locks'
    | 'workRefreshes'
    | 'leaks'
  >
  readonly attachments: Attachments
  readonly dispatch: Pick<Dispatch, 'changed' | 'requeue' | 'record' | 'onKeyFreed' | 'endParents'>
  readonly methods: Methods
  readonly feed: JobFeed
  readonly jobs: Pick<Jobs, 'checkSqlStarts' | 'carryBulk' | 'onBulk' | 'cancelLeftBehind'>
  readonly sqlStartNews: Pick<SqlStartNews, 'onUnchecked'>
  readonly schedules: Pick<RunSchedules, 'run' | 'onHint'>
  readonly lockLine: Pick<LockLine, 'run' | 'onHint'>
  readonly refreshFeed: Pick<RefreshFeed, 'run' | 'onHint'>
}

const BATCH = 1_000
const CANCELS_MS = 2_000
const PARENTS_MS = 2_000
const METHODS_MS = 5_000
const SCHEMAS_MS = 10_000
const ACTS_MS = 60_000
const CALLER_LEASES_MS = 5_000
const LOCK_WAITS_MS = 500
const VOID_LOCKS_MS = 10_000
const BUCKETS_MS = 60_000
const PACES_MS = 60_000
const REFRESHES_MS = 60_000
const LEAKS_MS = 10 * 60_000
/** A run may take minutes while there is much to remove. */
const RETENTION_TIMEOUT_MS = 10 * 60_000
/** As long as there is something to do, another run goes on. */
const BULK_TIMEOUT_MS = 10 * 60_000

export function sweepsOf(options: SweepsOptions): Sweep[] {
  const { attachments, dispatch, jobs, methods, feed, leaseMs, dueSweepMs } = options
  const { calls, sweeps, acts, pace, callerLeases, retention, locks } = options.stores
  const untilDone = (sweep: (limit: number) => Promise<ChangedJob[]>) => async () => {
    for (let full = true; full; ) {
      const jobs = await sweep(BATCH)
      dispatch.changed(jobs)
      full = jobs.length === BATCH
    }
  }
  return [
    { name: 'due jobs', everyMs: dueSweepMs, run: untilDone(sweeps.promoteDue) },
    { name: 'due schedules', everyMs: dueSweepMs * 4, atStart: true, ...options.schedules },
    {
      name: 'starts by SQL',
      everyMs: dueSweepMs * 4,
      run: jobs.checkSqlStarts,
      onHint: options.sqlStartNews.onUnchecked,
    },
    { name: 'queue deadlines', everyMs: dueSweepMs * 4, run: untilDone(sweeps.expireQueued) },
    { name: 'total deadlines', everyMs: dueSweepMs * 4, run: untilDone(sweeps.expireTotal) },
    {
      name: 'jobs of callers that have gone',
      everyMs: dueSweepMs * 4,
      run: untilDone(sweeps.leaveGoneSessions),
    },
    {
      name: 'overdue attempts',
      everyMs: LOOK_MS,
      run: () => endOverdue(attachments, dispatch, leaseMs),
    },
    {
      name: 'free keys',
      everyMs: CANCELS_MS,
      run: untilDone(sweeps.promoteBehindKey),
      onHint: dispatch.onKeyFreed,
    },
    { name: 'parents of attached children', everyMs: PARENTS_MS, run: dispatch.endParents },
    { name: 'attached children left behind', everyMs: PARENTS_MS, run: jobs.cancelLeftBehind },
    { name: 'overdue cancels', everyMs: CANCELS_MS, run: untilDone(sweeps.forceCanceled) },
    {
      name: 'open cancels',
      everyMs: CANCELS_MS,
      run: () => {
        const ids = attachments.all().map(({ id }) => id)
        return sendCancels(sweeps, attachments, ids, leaseMs)
      },
    },
    {
      name: 'stray jobs',
      everyMs: options.claimSweepMs * 5,
      run: createFindStrays({ sweeps, attachments, requeue: dispatch.requeue }),
    },
    {
      name: 'jobs of forgotten executors',
      everyMs: options.claimSweepMs * 10,
      run: async () => dispatch.requeue(await sweeps.orphans(BATCH)),
    },
    {
      name: 'awaited jobs',
      everyMs: options.waitSweepMs,
      run: (signal) => compareAwaited(feed, calls, signal),
    },
    { name: 'methods announced elsewhere', everyMs: METHODS_MS, run: methods.refresh },
    {
      name: 'schemas nobody runs any more',
      everyMs: SCHEMAS_MS,
      run: () => methods.forgetEarlier(),
    },
    { name: 'full buckets of rates', everyMs: BUCKETS_MS, run: () => sweeps.forgetFullBuckets() },
    { name: 'old paces', everyMs: PACES_MS, run: () => pace.forgetOld() },
    {
      name: 'ended leases of callers',
      everyMs: CALLER_LEASES_MS,
      async run(signal) {
        while (!signal.aborted && (await callerLeases.removeEnded(BATCH)) === BATCH);
      },
    },
    {
      name: 'waits for locks',
      everyMs: LOCK_WAITS_MS,
      run: options.lockLine.run,
      onHint: options.lockLine.onHint,
    },
    {
      name: 'void locks',
      everyMs: VOID_LOCKS_MS,
      async run(signal) {
        while (!signal.aborted && (await locks.forgetVoid(BATCH)) === BATCH);
      },
    },
    {
      name: 'refreshes of values',
      everyMs: options.refreshSweepMs,
      run: options.refreshFeed.run,
      onHint: options.refreshFeed.onHint,
    },
    {
      name: 'old refreshes',
      everyMs: REFRESHES_MS,
      run: () => options.stores.workRefreshes.fold(),
    },
    { name: 'old leaks', everyMs: LEAKS_MS, run: () => options.stores.leaks.forget() },
    {
      name: 'old acts',
      everyMs: ACTS_MS,
      async run(signal) {
        const { actsKeptMs } = options
        while (!signal.aborted && (await acts.forget(actsKeptMs, BATCH)) === BATCH);
      },
    },
    {
      name: 'bulk jobs',
      everyMs: options.claimSweepMs,
      timeoutMs: BULK_TIMEOUT_MS,
      run: jobs.carryBulk,
      onHint: jobs.onBulk,
    },
    {
      name: 'retention',
      everyMs: options.retentionSweepMs,
      timeoutMs: RETENTION_TIMEOUT_MS,
      run: createRetentionSweep({ retention, everyMs: options.retentionSweepMs }),
    },
  ]
}
