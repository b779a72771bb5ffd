/** Free slots of executors that serve the same queues: found together, reserved together and given back. */
import type { ClaimedJob, QueueRef } from '../domain/held-job.ts'
import { Lane, SLOT_LANES, type SlotLane } from '../domain/lane.ts'
import type { Attachment } from '../executors/attachment.ts'

/** Executors of one namespace that serve the same queues: one claim serves them all. */
export interface SlotGroup {
  /** Tells it from other groups. */
  readonly key: string
  readonly namespace: string
  readonly lane: SlotLane
  readonly queues: readonly QueueRef[]
  readonly members: Attachment[]
  /** Of the methods that have one. */
  readonly schemaOf: ReadonlyMap<string, string>
}

type Offer = Pick<SlotGroup, 'key' | 'lane' | 'queues'>

/** What an executor may be given does not change: made once, however many methods it has. */
const offersOf = new WeakMap<Attachment, readonly Offer[]>()

export function groupsOf(attachments: readonly Attachment[]): SlotGroup[] {
  const groups = new Map<string, SlotGroup>()
  for (const attachment of attachments) {
    if (!attachment.taking) continue
    const offers = offersOf.get(attachment) ?? SLOT_LANES.map((lane) => offerOf(attachment, lane))
    offersOf.set(attachment, offers)
    for (const offer of offers) {
      const group = groups.get(offer.key)
      if (group !== undefined) group.members.push(attachment)
      else {
        const { namespace, schemaOf } = attachment
        groups.set(offer.key, { ...offer, namespace, schemaOf, members: [attachment] })
      }
    }
  }
  return [...groups.values()]
}

/** A job that names no lane runs in the one the executor gives its method. */
function offerOf(attachment: Attachment, lane: SlotLane): Offer {
  const queues: QueueRef[] = []
  for (const [method, own] of attachment.laneOf) {
    for (const pool of attachment.poolsOf(method)) {
      queues.push({ method, lane, pool })
      if (own === lane) queues.push({ method, lane: Lane.ofMethod, pool })
    }
  }
  return { key: `${attachment.namespace} ${lane} ${attachment.signature}`, lane, queues }
}

/** Whether at least that part of all the slots is free. */
export function isFreeBy(part: number, { members, lane }: SlotGroup): boolean {
  let free = 0
  let all = 0
  for (const member of members) {
    free += member.credits(lane)
    all += member.slots(lane)
  }
  return free > 0 && free >= all * part
}

/** One slot from each member in turn, so that work spreads, up to so many. */
export function reserveSlots(
  members: readonly Attachment[],
  lane: SlotLane,
  max: number,
): Attachment[] {
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

export function giveBack(
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
