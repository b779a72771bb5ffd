/**
 * Claiming queued jobs for free slots, in batches.
 *
 * A wake-up (slots became free, jobs were queued) claims from the queues believed to hold jobs; every sweep asks the database about
 * all the queues its executors serve, so a lost hint costs one period (guarantee 4).
 *
 * Invariants:
 *  1. Slots are reserved before a claim and given back when the claim did not fill them.
 *  2. A claimed job is sent, or fails because it cannot be read, or goes back to the queue: through `unsent`, or where the answer to the claim is lost by the
 *     doubt about the attachments it was for.
 */
import { isConnectionError } from '@offstage/kit/database'
import { createLoop, type Loop } from '@offstage/kit/lifecycle'
import type { Admission } from '../admission/admission.ts'
import type {
  AttemptKey,
  ClaimedJob,
  QueueRef,
  TakenJobs,
  UnreadableJob,
} from '../domain/held-job.ts'
import { Lane, SLOT_LANES, type SlotLane } from '../domain/lane.ts'
import type { Attachment } from '../executors/attachment.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { Methods } from '../executors/methods.ts'
import type { ClaimStore } from '../ports/attempts.ts'
import type { Backlog } from './backlog.ts'
import type { Deliver } from './deliver.ts'
import type { LimitedClaims } from './limited-claims.ts'
import { type Placed, withoutMisplaced } from './misplaced.ts'
import type { Pace } from './pace.ts'

export interface ClaimsOptions {
  readonly store: ClaimStore
  readonly limited: LimitedClaims
  readonly attachments: Attachments
  readonly admission: Pick<Admission, 'pauseOf' | 'isExclusive' | 'limitsOf'>
  readonly backlog: Backlog
  readonly methods: Pick<Methods, 'peek' | 'find'>
  readonly sweepMs: number
  readonly deliver: Deliver
  readonly pace: Pick<Pace, 'note'>
  unsent(attempts: readonly AttemptKey[]): void
  failUnreadable(jobs: readonly UnreadableJob[]): void
  onError(error: unknown): void
}

const CLAIM_MAX = 500
/** Where a queue is believed empty: starts would miss the slots meanwhile. */
const LOOK_MAX = 20

/** Executors of one namespace that serve the same queues: one claim serves them all. */
interface Group {
  readonly namespace: string
  readonly lane: SlotLane
  readonly queues: QueueRef[]
  readonly members: Attachment[]
  /** Of the methods that have one. */
  readonly schemaOf: ReadonlyMap<string, string>
}

export function createClaims(options: ClaimsOptions): Loop {
  let sweepDueMs = 0
  let rounds = 0
  const loop = createLoop({
    name: 'claims',
    everyMs: options.sweepMs,
    timeoutMs: 30_000,
    onError: options.onError,
    async run(signal) {
      const sweep = performance.now() >= sweepDueMs
      if (sweep) sweepDueMs = performance.now() + options.sweepMs * 0.8
      for (const group of groupsOf(options.attachments.all())) {
        const queues = withSchemas(
          sweep ? group.queues : believedFull(group, options),
          group,
          options,
        )
        const parts = partsOf(queues, group, options)
        // Each comes first at times: what it takes is gone for the others.
        rounds += 1
        for (let turn = 0; turn < parts.length; turn++) {
          const part = parts[(turn + rounds) % parts.length]
          while (part !== undefined && !signal.aborted) {
            if (!(await claimOnce(options, group, part))) break
          }
        }
      }
    },
  })
  options.backlog.onQueued(loop.wake)
  return loop
}

function groupsOf(attachments: readonly Attachment[]): Group[] {
  const groups = new Map<string, Group>()
  for (const attachment of attachments) {
    if (!attachment.taking) continue
    for (const lane of SLOT_LANES) {
      const key = `${attachment.namespace} ${lane} ${attachment.signature}`
      const group = groups.get(key)
      if (group !== undefined) group.members.push(attachment)
      else {
        const queues = queuesOf(attachment, lane)
        const { namespace, schemaOf } = attachment
        groups.set(key, { namespace, lane, queues, members: [attachment], schemaOf })
      }
    }
  }
  return [...groups.values()]
}

/** A job that names no lane runs in the one the executor gives its method. */
function queuesOf(attachment: Attachment, lane: SlotLane): QueueRef[] {
  const queues: QueueRef[] = []
  for (const [method, own] of attachment.laneOf) {
    for (const pool of attachment.poolsOf(method)) {
      queues.push({ method, lane, pool })
      if (own === lane) queues.push({ method, lane: Lane.ofMethod, pool })
    }
  }
  return queues
}

/** Also what is believed paused, or without room, is left to the sweep, which asks the gates themselves. */
function believedFull({ namespace, queues }: Group, options: ClaimsOptions): QueueRef[] {
  const { backlog, admission, limited } = options
  return queues.filter(
    (queue) =>
      backlog.has({ namespace, ...queue }) &&
      admission.pauseOf(namespace, queue.method, queue.pool) === undefined &&
      (admission.limitsOf(namespace, queue.method) === undefined ||
        limited.mayHaveRoom(namespace, queue.method)),
  )
}

/** A schema matters only while there are others of the method: what fits none of those that are left goes to whoever is there, and fails. */
function withSchemas(
  queues: readonly QueueRef[],
  { namespace, schemaOf }: Group,
  { methods }: ClaimsOptions,
): readonly QueueRef[] {
  if (schemaOf.size === 0) return queues
  return queues.map((queue) => {
    const { method } = queue
    if (methods.peek(namespace, method)?.earlierParamsSchemas === undefined) return queue
    return { ...queue, schema: schemaOf.get(method) }
  })
}

/** Queues that are claimed by one statement: of one method that has limits, or of all that have none. */
interface Part {
  readonly limitedMethod: string | undefined
  readonly queues: readonly QueueRef[]
}

function partsOf(
  queues: readonly QueueRef[],
  { namespace }: Group,
  { admission }: ClaimsOptions,
): Part[] {
  const byMethod = Map.groupBy(queues, ({ method }) =>
    admission.limitsOf(namespace, method) === undefined ? undefined : method,
  )
  return [...byMethod].map(([limitedMethod, of]) => ({ limitedMethod, queues: of }))
}

/** Claims once for all free slots of a group; whether there may be more to claim. */
async function claimOnce(
  options: ClaimsOptions,
  { namespace, lane, members, schemaOf }: Group,
  { limitedMethod, queues }: Part,
): Promise<boolean> {
  const isLook = limitedMethod !== undefined && !options.backlog.hasAny(namespace, limitedMethod)
  const slots = reserveSlots(members, lane, isLook ? LOOK_MAX : CLAIM_MAX)
  if (slots.length === 0) {
    note(options.backlog, namespace, queues)
    return false
  }
  const ids = slots.map((attachment) => attachment.id)
  const { words } = options.backlog
  const inExclusive = options.admission.isExclusive(namespace)
  let claimed: TakenJobs = { jobs: [], unreadable: [] }
  let placed: Placed = { kept: [], misplaced: [] }
  let more = true
  try {
    if (limitedMethod === undefined) {
      claimed = await options.store.claim(namespace, queues, ids, inExclusive)
    } else {
      const { limited } = options
      const claim = await limited.claim(namespace, limitedMethod, queues, ids, inExclusive)
      claimed = claim.taken
      more = claim.queued && !claim.isFull
    }
    placed = await withoutMisplaced(options, schemaOf, claimed.jobs)
  } catch (error) {
    if (isConnectionError(error)) for (const attachment of slots) attachment.doubt()
    throw error
  } finally {
    giveBack(slots, placed.kept, lane)
  }
  const { jobs, unreadable } = claimed
  const undelivered = options.deliver(placed.kept.map((job) => ({ ...job, lane })))
  const unsent = [...undelivered, ...placed.misplaced]
  if (unsent.length > 0) options.unsent(unsent)
  options.pace.note(namespace, lane, queues, jobs)
  options.failUnreadable(unreadable)
  const full = more && jobs.length + unreadable.length === slots.length
  if (full) note(options.backlog, namespace, queues)
  else forget(options.backlog, namespace, queues, words)
  return full
}

/** Not read to their end, for want of slots: the next free slot looks again, without waiting for a hint. */
function note(backlog: Backlog, namespace: string, queues: readonly QueueRef[]): void {
  for (const queue of queues) backlog.note({ namespace, ...queue })
}

/** Read to their end: but what does not fit these executors may be there for others. */
function forget(
  backlog: Backlog,
  namespace: string,
  queues: readonly QueueRef[],
  words: number,
): void {
  for (const queue of queues) {
    if (queue.schema === undefined) backlog.clear({ namespace, ...queue }, words)
  }
}

/** One slot from each member in turn, so that work spreads, up to so many. */
function reserveSlots(members: readonly Attachment[], lane: SlotLane, max: number): Attachment[] {
  const slots: Attachment[] = []
  for (let taken = true; taken && slots.length < max; ) {
    taken = false
    for (const member of members) {
      if (member.credits(lane) === 0 || slots.length === max) continue
      member.reserve(lane)
      slots.push(member)
      taken = true
    }
  }
  return slots
}

function giveBack(
  slots: readonly Attachment[],
  claimed: readonly ClaimedJob[],
  lane: SlotLane,
): void {
  const used = new Map<string, number>()
  for (const job of claimed) used.set(job.attachmentId, (used.get(job.attachmentId) ?? 0) + 1)
  for (const member of slots) {
    const left = used.get(member.id) ?? 0
    if (left > 0) used.set(member.id, left - 1)
    else if (member.taking) member.grant(lane, 1)
  }
}
