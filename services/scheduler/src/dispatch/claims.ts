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
import { composeServices, createLoop, type Service } from '@offstage/kit/lifecycle'
import type { Admission } from '../admission/admission.ts'
import type { AttemptKey, QueueRef, TakenJobs, UnreadableJob } from '../domain/held-job.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { Methods } from '../executors/methods.ts'
import type { ClaimStore } from '../ports/attempts.ts'
import type { Backlog } from './backlog.ts'
import type { Deliver } from './deliver.ts'
import type { LimitedClaims } from './limited-claims.ts'
import { type Placed, withoutMisplaced } from './misplaced.ts'
import type { Pace } from './pace.ts'
import { giveBack, groupsOf, isFreeBy, reserveSlots, type SlotGroup } from './slot-groups.ts'

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

/** Claims from the same queues at once: slots that become free meanwhile need not wait until the other has its answer. */
const HANDS = 2
/** But where fewer of all the slots are free they do, so that claims stay large. */
const WORTH_A_HAND = 1 / 4

export interface Claims extends Service {
  /** Looks at once. */
  wake(): void
}

export function createClaims(options: ClaimsOptions): Claims {
  /** How many slots there are claims for, by what they are from. */
  const underWay = new Map<string, number>()
  /** Where a hand was turned away by another one. */
  const turnedAway = new Set<string>()
  const busy = new Set<number>()
  let sweepDueMs = 0
  let rounds = 0

  const round = async (signal: AbortSignal, sweep: boolean) => {
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
          if (!(await claimInTurn(group, part, sweep))) break
        }
      }
    }
  }
  const claimInTurn = async (group: SlotGroup, part: Part, sweep: boolean) => {
    const key = `${group.key} ${part.limitedMethod ?? ''}`
    const others = underWay.get(key)
    // Claims of a method with limits would wait for each other in the database. The sweep may have other queues to ask for.
    const mayJoin = sweep || (part.limitedMethod === undefined && isFreeBy(WORTH_A_HAND, group))
    if (others !== undefined && !mayJoin) {
      turnedAway.add(key)
      return false
    }
    const took = (slots: number) => {
      const left = (underWay.get(key) ?? 0) + slots
      if (left > 0) underWay.set(key, left)
      else underWay.delete(key)
    }
    try {
      return await claimOnce(options, group, part, others ?? 0, took)
    } finally {
      if (turnedAway.delete(key)) wake()
    }
  }

  const hands = Array.from({ length: HANDS }, (_, hand) =>
    createLoop({
      name: hand === 0 ? 'claims' : 'claims beside others',
      everyMs: options.sweepMs,
      timeoutMs: 30_000,
      onError: options.onError,
      async run(signal) {
        busy.add(hand)
        try {
          const sweep = hand === 0 && performance.now() >= sweepDueMs
          if (sweep) sweepDueMs = performance.now() + options.sweepMs * 0.8
          await round(signal, sweep)
        } finally {
          busy.delete(hand)
        }
      },
    }),
  )
  const wake = () => {
    const free = hands.find((_, hand) => !busy.has(hand))
    if (free !== undefined) free.wake()
    else for (const hand of hands) hand.wake()
  }
  options.backlog.onQueued(wake)
  return { ...composeServices('claims', hands), wake }
}

/** Also what is believed paused, or without room, is left to the sweep, which asks the gates themselves. */
function believedFull({ namespace, queues }: SlotGroup, options: ClaimsOptions): QueueRef[] {
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
  { namespace, schemaOf }: SlotGroup,
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
  { namespace }: SlotGroup,
  { admission }: ClaimsOptions,
): Part[] {
  const byMethod = Map.groupBy(queues, ({ method }) =>
    admission.limitsOf(namespace, method) === undefined ? undefined : method,
  )
  return [...byMethod].map(([limitedMethod, of]) => ({ limitedMethod, queues: of }))
}

/**
 * Claims once for all free slots of a group; whether there may be more to claim.
 *
 * @param others slots that other claims from there are under way for
 */
async function claimOnce(
  options: ClaimsOptions,
  { namespace, lane, members, schemaOf }: SlotGroup,
  { limitedMethod, queues }: Part,
  others: number,
  took: (slots: number) => void,
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
  took(slots.length)
  try {
    if (limitedMethod === undefined) {
      const terms = { inExclusive, underWay: others }
      claimed = await options.store.claim(namespace, queues, ids, terms)
    } else {
      const { limited } = options
      const claim = await limited.claim(namespace, limitedMethod, queues, ids, inExclusive)
      claimed = claim.taken
      more = claim.queued && !claim.isFull
    }
    placed = await withoutMisplaced(options, schemaOf, claimed.jobs)
  } catch (error) {
    if (isConnectionError(error)) for (const attachment of slots) attachment.doubt()
    // Another claim may have found these queues at their end, but for what this one had locked.
    note(options.backlog, namespace, queues)
    throw error
  } finally {
    took(-slots.length)
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
