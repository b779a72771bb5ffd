import { poolOfSession } from '../domain/foreground.ts'
import type { AttachmentId, SessionKey } from '../domain/ids.ts'
import { LANE_DEFAULT, type Lane, type SlotLane } from '../domain/lane.ts'
import { queueKey } from '../domain/queue-key.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type { Attachment } from './attachment.ts'

/** A free slot on an attached executor, taken. */
export interface Reservation {
  readonly attachment: Attachment
  readonly lane: SlotLane
}

/** A job that is to be started. */
type Asked = Pick<StartCommand, 'namespace' | 'method' | 'lane' | 'pool' | 'owner'>

/** The executors attached to this replica, by id and by what they can run. */
export class Attachments {
  readonly #byId = new Map<string, Attachment>()
  readonly #byMethod = new Map<string, Attachment[]>()
  #open = true

  /** Whether executors may attach here. */
  get open(): boolean {
    return this.#open
  }

  /** This replica goes away: executors attach to another one and go on with what they run. */
  async close(): Promise<void> {
    this.#open = false
    for (const attachment of this.all()) attachment.drain()
    // The word of it leaves with the turn of the event loop, before the stream ends.
    await new Promise(setImmediate)
    for (const attachment of this.all()) attachment.close()
  }

  add(attachment: Attachment): void {
    this.#byId.set(attachment.id, attachment)
    for (const method of attachment.laneOf.keys()) {
      const key = queueKey(attachment.namespace, method)
      const serving = this.#byMethod.get(key)
      if (serving === undefined) this.#byMethod.set(key, [attachment])
      else serving.push(attachment)
    }
  }

  remove(attachment: Attachment): void {
    this.#byId.delete(attachment.id)
    for (const method of attachment.laneOf.keys()) {
      const key = queueKey(attachment.namespace, method)
      const serving = (this.#byMethod.get(key) ?? []).filter((other) => other !== attachment)
      if (serving.length === 0) this.#byMethod.delete(key)
      else this.#byMethod.set(key, serving)
    }
  }

  get(id: AttachmentId): Attachment | undefined {
    return this.#byId.get(id)
  }

  get size(): number {
    return this.#byId.size
  }

  /** The database was lost, or is back: what it holds for them may differ from what they run. */
  doubt(): void {
    for (const attachment of this.#byId.values()) attachment.doubt()
  }

  all(): readonly Attachment[] {
    return [...this.#byId.values()]
  }

  /** Whether an attached executor runs the method. */
  serves(namespace: string, method: string): boolean {
    return this.#byMethod.has(queueKey(namespace, method))
  }

  /** Whether the session is attached here, in the foreground, and runs the method, by the version if one is required. */
  runs(sessionKey: SessionKey, method: string, version: string): boolean {
    const pool = poolOfSession(sessionKey)
    for (const attachment of this.#byId.values()) {
      if (attachment.pools.has(pool)) return attachment.runs(method, version)
    }
    return false
  }

  /**
   * What executors attached here, that take work, could do with a job: `none` runs its method in its pool; `some` do; they are `stuck` where
   * each of their slots is with a job of the same owner that waits.
   */
  roomFor({ namespace, method, lane, pool, owner }: Asked): 'none' | 'some' | 'stuck' {
    const serving = (this.#byMethod.get(queueKey(namespace, method)) ?? []).filter(
      (attachment) => attachment.taking && attachment.serves(method, pool),
    )
    if (serving.length === 0) return 'none'
    const isStuck = serving.every((attachment) => {
      const runsIn = lane || attachment.laneOf.get(method) || LANE_DEFAULT
      return attachment.credits(runsIn) === 0 && attachment.waitsOnly(owner)
    })
    return isStuck ? 'stuck' : 'some'
  }

  /** The pools in which attached executors run the method. */
  poolsOf(namespace: string, method: string): Set<string> {
    const serving = this.#byMethod.get(queueKey(namespace, method)) ?? []
    return new Set(serving.flatMap((attachment) => attachment.poolsOf(method)))
  }

  /** What the attached executors run of a namespace. */
  methodsIn(namespace: string): Set<string> {
    const serving = this.all().filter((attachment) => attachment.namespace === namespace)
    return new Set(serving.flatMap(({ laneOf }) => [...laneOf.keys()]))
  }

  /**
   * Takes a slot for a job of the method, on the executor with most of them free, of those that serve its pool and do not go by
   * one of these schemas.
   */
  reserve(
    namespace: string,
    method: string,
    lane: Lane,
    pool: string,
    misfits?: readonly string[],
  ): Reservation | undefined {
    const serving = this.#byMethod.get(queueKey(namespace, method))
    if (serving === undefined) return undefined
    let best: Reservation | undefined
    let most = 0
    for (const attachment of serving) {
      if (!attachment.serves(method, pool)) continue
      const runsIn = lane || attachment.laneOf.get(method) || LANE_DEFAULT
      const free = attachment.credits(runsIn)
      if (free <= most || misfits?.includes(attachment.schemaOf.get(method) ?? '')) continue
      most = free
      best = { attachment, lane: runsIn }
    }
    best?.attachment.reserve(best.lane)
    return best
  }
}
