/**
 * Starting jobs: group commit and eager dispatch (design §3, hot path).
 *
 * A started job for which this replica has an executor with a free slot, and nothing queued ahead of it, is inserted as running and
 * sent at once; everything else is inserted as queued and announced. A start is acknowledged after the commit (guarantee 1).
 *
 * Invariants:
 *  1. A reserved slot is either used by a job that was committed as running there, or given back.
 *  2. A job committed as running here is either sent, or handed to `unsent` for the queue: also when the commit's answer
 *     was lost and only the database knows.
 */
import { isConnectionError } from '@offstage/kit/database'
import type { Refusal } from '@offstage/kit/grpc'
import type { JobStanding } from '../domain/job.ts'
import { JobState } from '../domain/job-state.ts'
import { canBeJobId, type StartCommand } from '../domain/start-command.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { AttemptKey, JobStore, NewJob } from '../ports.ts'
import { keyTaken, overloaded, parentNotFound, requestIdReused } from '../refusals.ts'
import type { Attachments, Reservation } from './attachments.ts'
import type { Backlog } from './backlog.ts'
import { type Batcher, createBatcher } from './batcher.ts'
import { isDataError } from './persist.ts'
import { retryConflicts } from './retry-conflicts.ts'
import { isSameStart } from './same-start.ts'

export type StartOutcome =
  | {
      readonly kind: 'started'
      readonly id: string
      readonly state: JobState
      /** The executor attached here runs it, so its end will be known here first. */
      readonly here: boolean
    }
  | { readonly kind: 'existing'; readonly standing: JobStanding }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface StartsOptions {
  readonly store: JobStore
  readonly attachments: Attachments
  readonly backlog: Backlog
  readonly events: JobEvents
  readonly newId: () => string
  /** Gets attempts that were committed as running but could not be sent. */
  unsent(attempts: readonly AttemptKey[]): void
}

export interface StartItem {
  readonly command: StartCommand
  /** Called in the turn of the commit, before an executor can have answered. */
  onStarted?(id: string): void
}

export type Starts = Batcher<StartItem, StartOutcome>

interface Placed extends NewJob {
  readonly item: StartItem
  readonly reservation: Reservation | undefined
}

const CONFLICT_ROUNDS = 3

export function createStarts(options: StartsOptions): Starts {
  return createBatcher<StartItem, StartOutcome>({
    run: (items) => startBatch(options, items),
    maxItems: 1_000,
    maxQueued: 50_000,
    concurrency: 3,
    isDataError,
    overflow: () => overloaded('starts'),
  })
}

async function startBatch(
  options: StartsOptions,
  items: readonly StartItem[],
): Promise<StartOutcome[]> {
  const placed = items.map((item) => place(options, item))
  const inserted = await insertPlaced(options, placed)
  const queued: StartCommand[] = []
  const outcomes = new Array<StartOutcome>(placed.length)
  const conflicts: number[] = []
  for (const [index, job] of placed.entries()) {
    const state = inserted.get(job.id)
    if (state === undefined) {
      releaseSlot(job)
      conflicts.push(index)
      continue
    }
    // Of two starts with the same request id in one batch, the first created the job.
    inserted.delete(job.id)
    if (state !== JobState.running) releaseSlot(job)
    job.item.onStarted?.(job.id)
    const here = send(options, job, state)
    if (state === JobState.queued) queued.push(job.command)
    outcomes[index] = { kind: 'started', id: job.id, state, here }
  }
  options.backlog.announce(options.events, queued)
  for (const index of conflicts) {
    const job = placed[index]
    if (job !== undefined) outcomes[index] = await resolveConflict(options, job)
  }
  return outcomes
}

function place({ attachments, backlog, newId }: StartsOptions, item: StartItem): Placed {
  const { command } = item
  const { namespace, method, lane, requestId } = command
  const id = canBeJobId(requestId) ? requestId : newId()
  const eager =
    command.startTime === undefined &&
    command.delayMs === 0 &&
    !backlog.has(namespace, method, lane)
  const reservation = eager ? attachments.reserve(namespace, method, lane) : undefined
  return {
    id,
    command,
    lane: reservation?.lane ?? lane,
    attachmentId: reservation?.attachment.id,
    item,
    reservation,
  }
}

async function insertPlaced(
  { store, unsent }: StartsOptions,
  placed: readonly Placed[],
): Promise<Map<string, JobState>> {
  try {
    // Batches that meet on several keys, or on parents a cancel goes through, may wait for each other.
    return await retryConflicts(() => store.insert(placed))
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

/** Hands a job that was committed as running to its executor; false when it was not committed so. */
function send(
  { attachments, unsent }: StartsOptions,
  { id, command, reservation, lane }: Placed,
  state: JobState,
): boolean {
  if (reservation === undefined || state !== JobState.running) return false
  const { attachment } = reservation
  if (attachments.get(attachment.id) !== attachment) {
    unsent([{ jobId: id, attachmentId: attachment.id, attempt: 1 }])
    return false
  }
  attachment.assign({
    id,
    namespace: command.namespace,
    method: command.method,
    owner: command.owner,
    lane,
    attempt: 1,
    failures: 0,
    key: command.key,
    parentId: command.parentId,
    params: command.params,
    labels: command.labels,
    traceparent: command.traceparent,
    options: command.options,
  })
  return true
}

/** Finds out which job stood in the way, and does what the caller wants then (rows J4, J19). */
async function resolveConflict(options: StartsOptions, job: Placed): Promise<StartOutcome> {
  const { store, backlog, events } = options
  const { command } = job
  const unplaced: NewJob = { id: job.id, command, lane: command.lane, attachmentId: undefined }
  for (let round = 0; round < CONFLICT_ROUNDS; round++) {
    const existing = await store.findExisting(job)
    if (existing?.by === 'request-id') {
      if (isSameStart(existing, command)) return { kind: 'existing', standing: existing }
      return { kind: 'refused', refusal: requestIdReused(command.requestId) }
    }
    if (command.parentId !== '' && !(await store.hasParent(command))) {
      return { kind: 'refused', refusal: parentNotFound() }
    }
    if (existing?.by === 'key') {
      // The refusal names a foreign holder too (row J4); the job itself and its result stay its owner's (row J6).
      const mayHave = command.admin || existing.owner === command.owner
      if (command.keyConflict === 'return-running' && mayHave) {
        return { kind: 'existing', standing: existing }
      }
      if (command.keyConflict !== 'queue-behind') {
        return { kind: 'refused', refusal: keyTaken(command.key, existing) }
      }
      const state = await store.insertBehindKey(unplaced)
      if (state !== undefined) {
        job.item.onStarted?.(job.id)
        return { kind: 'started', id: job.id, state, here: false }
      }
      continue
    }
    // The holder ended in between: try again, without an executor.
    const again = await store.insert([unplaced])
    const state = again.get(job.id)
    if (state !== undefined) {
      job.item.onStarted?.(job.id)
      backlog.announce(events, [command])
      return { kind: 'started', id: job.id, state, here: false }
    }
  }
  return { kind: 'refused', refusal: overloaded(`starts with the key "${command.key}"`) }
}
