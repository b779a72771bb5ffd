/**
 * One executor on one Attach stream: its free slots, what it runs, and what it is to be told.
 *
 * Invariants:
 *  1. Credits never go below zero: an assignment is sent only for a reserved credit.
 *  2. A job in `running` was committed as this attachment's; only its end, or a fence, takes it out. One that comes again
 *     meanwhile is not sent again, nor is an attempt that was fenced.
 *  3. After `detach` nothing is reserved or sent any more.
 *  4. Its stream is ended by `close` alone, whoever asks for it.
 */
import assert from 'node:assert/strict'
import type { Violation } from '@offstage/proto/field-rules'
import type { CancelOrder } from '../domain/cancel-order.ts'
import type { AttemptRef, RunningJob } from '../domain/held-job.ts'
import type { AttachmentId, SessionId, SessionKey } from '../domain/ids.ts'
import type { SlotLane } from '../domain/lane.ts'
import type { MethodDefinition } from '../domain/method-definition.ts'
import { poolOfVersion, requiredVersionOf, withoutVersion } from '../domain/pool.ts'
import { type Credit, Credits, type Slots } from './credits.ts'
import { type Outgoing, OutgoingFrames } from './outgoing-frames.ts'
import { schemaId } from './schema-id.ts'
import { type Overdue, TimedAttempts } from './timed-attempts.ts'

export interface AttachmentOptions {
  readonly id: AttachmentId
  readonly sessionId: SessionId
  readonly sessionKey: SessionKey
  readonly namespace: string
  readonly name: string
  readonly methods: readonly MethodDefinition[]
  readonly lanes: readonly Slots[]
  /** Empty stands for the default one. */
  readonly pools: readonly string[]
  /** By the method, of those that have one. Default: none has. */
  readonly versionOf?: ReadonlyMap<string, string>
  /** Sends one frame. */
  send(frame: Outgoing): void
  /** Ends the stream from this side: the executor attaches anew. Ending it twice is ending it once. */
  end(): void
}

/**
 * What came of giving an attachment a job. Where the database has forgotten a claim (ADR 0016) it gives the same attempt again: to whom it
 * runs with, all is well; who was told meanwhile to stop it is to get another one. It `clashes` where another attempt of the
 * job is believed to run here: the lease was lost and somebody else had it meanwhile, or the word of how it ended is still on its way. Once
 * that word has come it runs no more, though it may not be known yet that it has been recorded.
 * Who has said meanwhile that it takes nothing more, and is `leaving`, is sent nothing.
 */
export type Assigned = 'sent' | 'runs' | 'fenced' | 'clashes' | 'leaving' | 'detached'

const NO_VERSIONS: ReadonlyMap<string, string> = new Map()
/** How often deadlines are looked after. */
export const LOOK_MS = 500
/** More than are told within the time an executor takes to stop them. */
const FENCED_MAX = 10_000
/** Longer than a statement can run. */
const DOUBT_MS = 60_000

export class Attachment {
  readonly id: AttachmentId
  readonly sessionId: SessionId
  readonly sessionKey: SessionKey
  readonly namespace: string
  readonly name: string
  /** The lane a job of each method runs in when it names none. */
  readonly laneOf: ReadonlyMap<string, SlotLane>
  /** The id of the schema it takes parameters by, of the methods that have one. */
  readonly schemaOf: ReadonlyMap<string, string>
  /** The pools it serves; empty stands for the default one. */
  readonly pools: ReadonlySet<string>
  readonly #versionOf: ReadonlyMap<string, string>
  /** Equal for executors that serve the same queues alike. */
  readonly signature: string
  readonly running = new Map<string, RunningJob>()
  /** Those of them with deadlines. */
  readonly timed = new TimedAttempts(LOOK_MS)
  /** Those of them that wait for children. */
  readonly #waiting = new Set<string>()
  /** Those of them whose end its executor has told, while that is being recorded. */
  readonly ending = new Set<RunningJob>()
  /** The newest attempts that it was told are not its own, by their jobs. */
  readonly #fenced = new Map<string, number>()
  readonly #credits: Credits
  readonly #outgoing: OutgoingFrames
  readonly #end: () => void
  /** Frames it has sent, and how many of them its lease has been renewed for. */
  #words = 1
  #renewedWords = 0
  /** Frames that are being taken in: meanwhile no other is read. */
  #taken = 0
  #taking = true
  #isSetAside = false
  #attached = true
  #doubtedUntilMs = 0

  constructor(options: AttachmentOptions) {
    this.id = options.id
    this.sessionId = options.sessionId
    this.sessionKey = options.sessionKey
    this.namespace = options.namespace
    this.name = options.name
    this.laneOf = new Map(options.methods.map((method) => [method.name, method.lane]))
    this.schemaOf = schemasOf(options.methods)
    this.pools = new Set(options.pools)
    const pools = options.pools.map((pool) => ['', pool])
    this.#versionOf = options.versionOf ?? NO_VERSIONS
    const versions = [...this.#versionOf].map((of) => ['@', ...of])
    this.signature = [...this.laneOf, ...this.schemaOf, ...pools, ...versions].sort().join(' ')
    this.#credits = new Credits(options.lanes)
    this.#outgoing = new OutgoingFrames(options.send)
    this.#end = options.end
  }

  /** Whether it runs the method, by the version if one is required. */
  runs(method: string, version: string): boolean {
    return this.laneOf.has(method) && (version === '' || this.#versionOf.get(method) === version)
  }

  /** Whether it takes jobs of a method that it runs from the pool, by the version that goes with it. */
  serves(method: string, pool: string): boolean {
    if (this.pools.has(pool)) return true
    const version = requiredVersionOf(pool)
    return version !== '' && this.pools.has(withoutVersion(pool)) && this.runs(method, version)
  }

  /** The pools it takes jobs of the method from, each with its version too. */
  poolsOf(method: string): readonly string[] {
    const pools = [...this.pools]
    const version = this.#versionOf.get(method)
    if (version === undefined) return pools
    return [...pools, ...pools.map((pool) => poolOfVersion(pool, version))]
  }

  get words(): number {
    return this.#words
  }

  /** Whether there is a word of its executor for which its lease has not been renewed, or one still taken in. */
  get heard(): boolean {
    return this.#attached && (this.#words > this.#renewedWords || this.#taken > 0)
  }

  /** Its lease has been renewed for what it had said by then. */
  renewed(words: number): void {
    this.#renewedWords = words
  }

  /** Hears a frame out. */
  async hear(take: () => Promise<void>): Promise<void> {
    this.#words += 1
    this.#taken += 1
    this.#isSetAside = false
    try {
      await take()
    } finally {
      this.#taken -= 1
    }
  }

  /** Whether it takes new work. */
  get taking(): boolean {
    return this.#taking
  }

  /** Whether its stream is open. */
  get attached(): boolean {
    return this.#attached
  }

  /** The slots of the lane, free or not. */
  slots(lane: number): number {
    return this.#credits.slots(lane)
  }

  credits(lane: number): number {
    return this.#taking && !this.#isSetAside ? this.#credits.free(lane) : 0
  }

  /** It is given nothing until it is heard again: it did not end what it should have. */
  setAside(): void {
    this.#isSetAside = true
  }

  /** Why an executor cannot have slots free that it gives credits for (guarantee 6); undefined where it can. */
  creditFault(credit: Credit): Violation | undefined {
    return this.#credits.fault(credit, this.#taking)
  }

  /** Slots have become free. */
  grant(lane: number, slots: number): void {
    if (this.#taking) this.#credits.add(lane, slots)
  }

  reserve(lane: number, slots = 1): void {
    assert(this.credits(lane) >= slots, 'a reservation has its credit')
    this.#credits.add(lane, -slots)
  }

  /** Takes a job that was committed as this attachment's, to be sent. */
  assign(job: RunningJob): Assigned {
    const { id, attempt } = job
    if (!this.#attached) return 'detached'
    const running = this.running.get(id)
    if (running?.attempt === attempt) return 'runs'
    if (running !== undefined && !this.ending.has(running)) return 'clashes'
    if (this.#fenced.get(id) === attempt) return 'fenced'
    if (!this.#taking) return 'leaving'
    if (running !== undefined) this.end({ jobId: id, attempt: running.attempt })
    this.adopt(job)
    this.#outgoing.frame().assignments.push(job)
    return 'sent'
  }

  /** Takes a job that its executor runs already. */
  adopt(job: RunningJob): void {
    this.running.set(job.id, job)
    this.timed.add(job)
  }

  /** What its executor should have ended long ago. */
  overdue(slackMs: number): Overdue[] {
    return this.timed.look(this.running, this.#taken === 0, slackMs)
  }

  /** The attempt has begun, or ended, to wait for children. */
  waits({ jobId, attempt }: AttemptRef, waiting: boolean): void {
    if (waiting && this.running.get(jobId)?.attempt === attempt) this.#waiting.add(jobId)
    else this.#waiting.delete(jobId)
  }

  /** Whether it runs something, and all of that waits and is this owner's. */
  waitsOnly(owner: string): boolean {
    if (this.running.size === 0) return false
    for (const job of this.running.values()) {
      if (job.owner !== owner || !this.#waiting.has(job.id)) return false
    }
    return true
  }

  cancel(order: CancelOrder): void {
    this.#outgoing.frame().cancels.push(order)
  }

  /** The attempt is over for this attachment; another of the same job is not. */
  end({ jobId, attempt }: AttemptRef): void {
    if (this.running.get(jobId)?.attempt !== attempt) return
    this.running.delete(jobId)
    if (this.#waiting.size > 0) this.#waiting.delete(jobId)
  }

  fence(attempt: AttemptRef): void {
    this.end(attempt)
    for (const [oldest] of this.#fenced) {
      if (this.#fenced.size < FENCED_MAX) break
      this.#fenced.delete(oldest)
    }
    this.#fenced.set(attempt.jobId, attempt.attempt)
    this.#outgoing.frame().fenced.push(attempt)
  }

  acknowledge(attempt: AttemptRef): void {
    this.#outgoing.frame().acknowledged.push(attempt)
  }

  /** The executor's own word, or the scheduler's: no new work from now on. */
  stopTaking(): void {
    this.#taking = false
    this.#credits.clear()
  }

  drain(): void {
    this.stopTaking()
    this.#outgoing.frame().drain = true
  }

  /** The answer to a statement that gives it jobs was lost: it may have been committed. */
  doubt(): void {
    this.#doubtedUntilMs = performance.now() + DOUBT_MS
  }

  /** Whether the database may hold jobs for it that nobody has sent. */
  get doubted(): boolean {
    return performance.now() < this.#doubtedUntilMs
  }

  /** Ends its stream: its executor attaches anew. */
  close(): void {
    this.#end()
  }

  detach(): void {
    this.#attached = false
    this.stopTaking()
    this.#outgoing.close()
  }
}

function schemasOf(methods: readonly MethodDefinition[]): Map<string, string> {
  const schemas = new Map<string, string>()
  for (const { name, paramsSchema } of methods) {
    if (paramsSchema) schemas.set(name, schemaId(paramsSchema))
  }
  return schemas
}
