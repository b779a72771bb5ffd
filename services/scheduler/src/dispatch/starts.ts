/**
 * Starting jobs, the hot path: group commit and eager dispatch.
 *
 * A started job for which this replica has an executor with a free slot, and nothing queued ahead of it, is inserted as running and
 * sent at once; everything else is inserted as queued and announced. A start is acknowledged after the commit (guarantee 1).
 *
 * Invariants:
 *  1. A reserved slot is either used by a job that was committed as running there, or given back.
 *  2. A job committed as running here is either sent, before anything else is done that may fail, or handed to `unsent` for the queue: also when the commit's answer
 *     was lost and only the database knows.
 *  3. A job begins here only by the gates as they are when it is recorded: placed by others, it is queued.
 */
import { isConnectionError } from '@offstage/kit/database'
import type { Admission } from '../admission/admission.ts'
import { gateOf } from '../domain/gate.ts'
import type { AttemptKey, ClaimedJob, NewJob } from '../domain/held-job.ts'
import { JobState } from '../domain/job-state.ts'
import type { LimitsOfMethod } from '../domain/method-limit.ts'
import { canBeJobId, type StartCommand } from '../domain/start-command.ts'
import type { Attachments, Reservation } from '../executors/attachments.ts'
import type { StartStore } from '../ports/starts.ts'
import { overloaded } from '../refusals.ts'
import { type Batcher, createBatcher } from '../statements/batcher.ts'
import { isDataError } from '../statements/persist.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import type { Backlog } from './backlog.ts'
import type { Deliver } from './deliver.ts'
import type { LimitedClaims } from './limited-claims.ts'
import { QueueLimits } from './queue-limits.ts'
import { resolveConflicts } from './start-conflicts.ts'
import { type StartItem, type StartOutcome, tellStarted } from './start-outcome.ts'

export interface StartsOptions {
  readonly store: StartStore
  readonly attachments: Attachments
  readonly admission: Pick<Admission, 'epoch' | 'pauseOf' | 'isExclusive' | 'limitsOf' | 'refresh'>
  readonly backlog: Backlog
  readonly limited: Pick<LimitedClaims, 'hasLeftQueued'>
  readonly newId: () => string
  readonly deliver: Deliver
  /** Gets attempts that were committed as running but could not be sent. */
  unsent(attempts: readonly AttemptKey[]): void
  onError(error: unknown): void
}

export type Starts = Batcher<StartItem, StartOutcome>

interface Placed extends NewJob {
  readonly item: StartItem
  readonly reservation: Reservation | undefined
}

/** Starts of methods with limits follow each other, since they would wait for each other in the database; others are not held up by them. */
export function createStarts(options: StartsOptions): Starts {
  const { admission } = options
  const queueLimits = new QueueLimits(options)
  const line = {
    maxItems: 1_000,
    maxQueued: 50_000,
    isDataError,
    overflow: () => overloaded('starts'),
  }
  const plain = createBatcher<StartItem, StartOutcome>({
    ...line,
    run: (items) => startBatch(options, items),
    concurrency: 3,
  })
  const limited = createBatcher<StartItem, StartOutcome>({
    ...line,
    run: (items) => queueLimits.allow(items, (allowed) => startBatch(options, allowed)),
  })
  const isLimited = ({ command: { namespace, method } }: StartItem) =>
    admission.limitsOf(namespace, method) !== undefined
  return {
    add: (items, caller) => (items.some(isLimited) ? limited : plain).add(items, caller),
    get size() {
      return plain.size + limited.size
    },
  }
}

async function startBatch(
  options: StartsOptions,
  items: readonly StartItem[],
): Promise<StartOutcome[]> {
  const { epoch } = options.admission
  const placed = items.map((item) => place(options, item))
  const inserted = await insertPlaced(options, placed, epoch)
  const here = sendInserted(options, placed, inserted)
  const queued: StartCommand[] = []
  const outcomes = new Array<StartOutcome>(placed.length)
  const conflicts: number[] = []
  for (const [index, job] of placed.entries()) {
    const state = inserted.get(job.id)
    if (state === undefined) {
      conflicts.push(index)
      continue
    }
    // Of two starts with the same request id in one batch, the first created the job.
    inserted.delete(job.id)
    tellStarted(options, job.item, job.id)
    if (state === JobState.queued) {
      queued.push(job.command)
      if (job.reservation !== undefined && !job.withinLimits) options.admission.refresh()
    }
    outcomes[index] = { kind: 'started', id: job.id, state, here: here.get(job.id) === job }
  }
  options.backlog.announce(queued)
  if (conflicts.length === 0) return outcomes
  const met = conflicts.flatMap((index) => placed[index] ?? [])
  for (const [place, outcome] of (await resolveConflicts(options, met)).entries()) {
    outcomes[conflicts[place] ?? 0] = outcome
  }
  return outcomes
}

/**
 * First of all what was committed as running is sent, and the other slots are given back: nothing that fails afterwards may
 * keep a job from its executor. The frames leave with the turn of the event loop, so nobody has answered before the
 * starts are told. Returns the jobs whose end will be known here.
 */
function sendInserted(
  { deliver, unsent }: StartsOptions,
  placed: readonly Placed[],
  inserted: ReadonlyMap<string, JobState>,
): ReadonlyMap<string, Placed> {
  const running = new Map<string, Placed>()
  const claimed: ClaimedJob[] = []
  for (const job of placed) {
    const { id, reservation } = job
    const isRunning = inserted.get(id) === JobState.running && !running.has(id)
    if (isRunning && reservation !== undefined) {
      running.set(id, job)
      claimed.push(claimedFrom(job, reservation))
    } else releaseSlot(job)
  }
  const back = deliver(claimed)
  if (back.length > 0) unsent(back)
  for (const { jobId } of back) running.delete(jobId)
  return running
}

const NOT_DUE = { cause: 'not-due', dueTime: undefined, isRetry: false } as const
/** Whether there is room is found out by who claims. */
const LIMITED = { cause: 'limit', limit: undefined, jobIds: [] } as const
const EXCLUSIVE = { cause: 'exclusive-mode', holder: undefined } as const
const QUEUED_AHEAD = { cause: 'no-slot', sessionIds: [], slots: 0 } as const

/** Keys, and cancels that go for children, are the database's to find. */
function place(options: StartsOptions, item: StartItem): Placed {
  const { attachments, admission, backlog, limited, newId } = options
  const { command } = item
  const { namespace, method, lane, pool, requestId, options: asked } = command
  const id = canBeJobId(requestId) ? requestId : newId()
  const later = command.startTime !== undefined || command.delayMs !== 0
  const limits = admission.limitsOf(namespace, method)
  const isBehind = limits ? limited.hasLeftQueued(namespace, method) : backlog.has(command)
  const inExclusive = admission.isExclusive(namespace)
  const gate = gateOf({
    due: later ? NOT_DUE : undefined,
    paused: admission.pauseOf(namespace, method, pool),
    exclusive: inExclusive ? EXCLUSIVE : undefined,
    limit: limits && !isCounted(limits, command) ? LIMITED : undefined,
    room: isBehind ? QUEUED_AHEAD : undefined,
  })
  const reservation =
    gate === undefined
      ? attachments.reserve(namespace, method, lane, pool, asked?.misfits)
      : undefined
  return {
    id,
    command,
    lane: reservation?.lane ?? lane,
    attachmentId: reservation?.attachment.id,
    ...(limits && reservation && { withinLimits: true }),
    ...(inExclusive && { inExclusive }),
    item,
    reservation,
  }
}

/**
 * Whether the statement that records it finds out if there is room, and if others are queued ahead. Rates are left to claims; and what was given no key, because its
 * method had none a moment ago, gets it there.
 */
function isCounted({ whole, perKey }: LimitsOfMethod, { limitKey }: StartCommand): boolean {
  if (whole?.rate !== undefined || perKey?.rate !== undefined) return false
  return perKey === undefined || limitKey !== undefined
}

async function insertPlaced(
  { store, unsent }: StartsOptions,
  placed: readonly Placed[],
  epoch: number,
): Promise<Map<string, JobState>> {
  try {
    // Batches that meet on several keys, or on parents a cancel goes through, may wait for each other.
    return await retryConflicts(() => store.insert(placed, epoch))
  } catch (error) {
    for (const job of placed) releaseSlot(job)
    // The answer may have been lost after the commit.
    if (isConnectionError(error)) {
      unsent(
        placed.flatMap(({ id, attachmentId }) =>
          attachmentId === undefined ? [] : [{ jobId: id, attachmentId, attempt: 1 }],
        ),
      )
    }
    throw error
  }
}

function releaseSlot({ reservation }: Placed): void {
  if (reservation?.attachment.taking) reservation.attachment.grant(reservation.lane, 1)
}

function claimedFrom({ id, command, lane }: Placed, { attachment }: Reservation): ClaimedJob {
  const { namespace, method, owner, key, parentId, params, labels, traceparent, options } = command
  return {
    id,
    attachmentId: attachment.id,
    namespace,
    method,
    owner,
    lane,
    key,
    parentId,
    params,
    labels,
    traceparent,
    options,
    attempt: 1,
    failures: 0,
    totalLeftMs: options?.totalDeadlineMs,
  }
}
