/** Canceling, starting anew and deleting all jobs that a filter selects (row J25): asked for here, carried out by carry-bulk.ts. */
import { mayForOthers, type Right } from '@offstage/kit/auth'
import { printFilter } from '@offstage/proto/job-filter'
import { isSameStart } from '../dispatch/same-start.ts'
import { BULK_METHODS, type BulkVerb, type NewBulkJob } from '../domain/bulk-job.ts'
import type { NewJob } from '../domain/held-job.ts'
import type { JobStanding } from '../domain/job.ts'
import { JobKind } from '../domain/job-kind.ts'
import type { JobFilter } from '../domain/job-query.ts'
import { JobState } from '../domain/job-state.ts'
import { LANE_DEFAULT } from '../domain/lane.ts'
import { canBeJobId, type StartCommand } from '../domain/start-command.ts'
import type { BulkStore, JobSelection } from '../ports/bulk.ts'
import type { JobStore } from '../ports/stores.ts'
import { overloaded, requestIdReused } from '../refusals.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { Waiter } from '../waits/waiter.ts'
import type { Caller } from './caller.ts'
import type { LimitRate } from './limit-rate.ts'
import { countingTooSlow } from './refusals.ts'
import type { ReadFor } from './shared-reads.ts'
import type { StartedJob } from './start-jobs.ts'

export interface BulkJobsOptions {
  readonly bulk: Pick<BulkStore, 'insert' | 'preview'>
  readonly store: Pick<JobStore, 'findExisting'>
  readonly feed: JobFeed
  readonly readStandings: ReadFor<JobStanding>
  readonly limitRate?: LimitRate | undefined
  readonly newId: () => string
  /** One was started: it is carried on at once. */
  onStarted(): void
}

export interface BulkCall {
  readonly namespace: string
  readonly verb: BulkVerb
  readonly filter: JobFilter
  /** Of a cancel. */
  readonly reason: string
  readonly graceMs: number
  /** Of a retry. */
  readonly requiredVersion: string | undefined
  readonly requestId: string
  readonly traceparent: string
}

export interface BulkJobs {
  start(
    caller: Caller,
    call: BulkCall,
    inlineWaitMs: number,
    signal: AbortSignal,
  ): Promise<StartedJob>
  /** What it would be done to. */
  preview(
    caller: Caller,
    call: Pick<BulkCall, 'namespace' | 'verb' | 'filter'>,
  ): Promise<JobSelection>
}

const RIGHTS = {
  cancel: 'jobs.cancel',
  retry: 'jobs.change',
  delete: 'jobs.change',
} as const satisfies Record<BulkVerb, Right>

/** Whose jobs it is about; undefined: anybody's. */
function ownerOnlyOf(caller: Caller, verb: BulkVerb): string | undefined {
  return mayForOthers(caller, RIGHTS[verb]) ? undefined : caller.user
}

export function createBulkJobs(options: BulkJobsOptions): BulkJobs {
  const { bulk, feed, readStandings } = options
  return {
    async start(caller, call, inlineWaitMs, signal) {
      if (inlineWaitMs > 0) feed.makeRoom(1, caller.user)
      options.limitRate?.([{ owner: caller.user, namespace: call.namespace }])
      const { id, existing } = await record(options, caller, call)
      using waiter = new Waiter(feed, readStandings(caller, call.namespace), caller.user)
      if (inlineWaitMs > 0) waiter.follow(call.namespace, id, true)
      options.onStarted()
      const [standing] = inlineWaitMs > 0 || existing ? await waiter.check([id]) : []
      await waiter.until(1, inlineWaitMs, signal)
      const ended = waiter.ended.get(id)
      const state = ended?.state ?? standing?.state ?? JobState.running
      return { id, state, existing, standing: ended }
    },
    async preview(caller, { namespace, verb, filter }) {
      const scope = { namespace, owner: ownerOnlyOf(caller, verb) }
      const selection = await bulk.preview(scope, verb, filter)
      if (selection === undefined) throw countingTooSlow()
      return selection
    },
  }
}

/** The job, recorded now or before by the same request id. */
async function record(
  { bulk, store, newId }: BulkJobsOptions,
  caller: Caller,
  call: BulkCall,
): Promise<{ id: string; existing: boolean }> {
  const job = newBulkJob(caller, call, canBeJobId(call.requestId) ? call.requestId : newId())
  const insert = (one: NewBulkJob) => retryConflicts(() => bulk.insert(one))
  if (await insert(job)) return { id: job.id, existing: false }
  const asStart = startOf(job)
  const [existing] = await store.findExisting([asStart])
  if (existing !== undefined) {
    if (isSameStart(existing, asStart.command)) return { id: existing.id, existing: true }
    throw requestIdReused(call.requestId)
  }
  // The request id is the id of somebody else's job, of which nobody is told.
  const id = newId()
  if (await insert({ ...job, id })) return { id, existing: false }
  throw overloaded(`starts with the request id "${call.requestId}"`)
}

function newBulkJob(caller: Caller, call: BulkCall, id: string): NewBulkJob {
  const { verb, filter, reason, graceMs, requiredVersion } = call
  const { user, roles, peer, call: by } = caller
  const ofCancel = verb === 'cancel' ? { reason, graceMs } : {}
  const params = { filter: printFilter(filter), ...ofCancel, requiredVersion }
  return {
    ...call,
    id,
    ownerOnly: ownerOnlyOf(caller, verb),
    by: { user, roles, peer, call: by },
    params: Buffer.from(JSON.stringify(params)),
  }
}

/** As starts are looked up and compared. */
function startOf({ id, namespace, verb, by, params, requestId, traceparent }: NewBulkJob): NewJob {
  const command: StartCommand = {
    namespace,
    method: BULK_METHODS[verb],
    owner: by.user,
    lane: LANE_DEFAULT,
    key: '',
    parentId: '',
    params: { inline: params, type: '' },
    labels: undefined,
    traceparent,
    options: undefined,
    admin: false,
    seesOthers: false,
    kind: JobKind.system,
    priority: 0,
    pool: '',
    keyConflict: 'refuse',
    requestId,
    startTime: undefined,
    delayMs: 0,
  }
  return { id, command, lane: LANE_DEFAULT, attachmentId: undefined }
}
