/**
 * One watch: many jobs, one ordered stream of what happens to each (rows J15, L2).
 *
 * Hints only say which jobs to look at; what is sent is read from the store and compared with what was sent before. So a watch tells
 * the same story whichever replica ended a job, and a lost or doubled hint changes nothing.
 *
 * Invariants:
 *  1. The events of one job are in order: messages by sequence without gaps, progress by revision, the completion last.
 *  2. Every job is read once when it is added, and again at each hint and where a sweep finds it otherwise than it was told.
 *  3. Now and then it has a beat: there was nothing left to read when a sweep had found nothing that was missed.
 *  4. One read takes in a bounded number of jobs and messages; what is left over is for the next (guarantee 6).
 */
import { completionSeen, messageSeen, progressSeen, type Sight } from '../domain/hidden-payload.ts'
import type { JobId } from '../domain/ids.ts'
import type {
  Completion,
  JobMark,
  JobMessage,
  JobStanding,
  Progress,
  WatchedJob,
} from '../domain/job.ts'
import { isTerminal, type JobState } from '../domain/job-state.ts'
import type { JobReads } from '../ports/job-reads.ts'
import type { JobFeed } from './job-feed.ts'

export type WatchEvent = { readonly jobId: string; readonly payloadHidden?: true | undefined } & (
  | { readonly kind: 'missing' }
  | { readonly kind: 'state'; readonly state: JobState }
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'message'; readonly message: JobMessage }
  | { readonly kind: 'completed'; readonly completion: Completion }
)

interface Target {
  state: JobState | undefined
  progressRevision: number
  sequence: number
  isRead: boolean
  leave: () => void
}

/** Reads when it is the turn of whose watch it is. */
export type InTurn = <T>(read: () => Promise<T>) => Promise<T>

export const JOBS_PER_READ_MAX = 200
const MESSAGES_PER_READ_MAX = 1_000
/** Far less than a client waits at most from one poll to the next. */
const BEAT_MS = 5_000

export class JobWatch implements Disposable {
  readonly #feed: JobFeed
  readonly #read: (ids: readonly JobId[]) => Promise<(WatchedJob | undefined)[]>
  readonly #readMessagesOf: JobReads['readMessages']
  readonly #namespace: string
  readonly #sightOf: (owner: string) => Sight
  readonly #inTurn: InTurn
  readonly #caller: string
  readonly #onRead: (jobs: readonly JobStanding[]) => Promise<void> | undefined
  readonly #targets = new Map<JobId, Target>()
  readonly #dirty = new Set<JobId>()
  readonly #beatMs: number
  readonly #stopHearing: () => void
  #beatMsBefore = performance.now()
  #isBeatDue = false
  #wake: () => void = () => {}

  constructor(options: {
    readonly feed: JobFeed
    readonly namespace: string
    /** Of those that do not exist for the caller undefined. */
    read(ids: readonly JobId[]): Promise<(WatchedJob | undefined)[]>
    readonly readMessages: JobReads['readMessages']
    sightOf(owner: string): Sight
    readonly caller: string
    /** How messages are read. Default: at once. */
    readonly inTurn?: InTurn
    /** Told of jobs of whose payload something is to be told, once of each; awaited before it is. */
    onRead(jobs: readonly JobStanding[]): Promise<void> | undefined
    readonly beatMs?: number
  }) {
    this.#feed = options.feed
    this.#caller = options.caller
    this.#read = options.read
    this.#readMessagesOf = options.readMessages
    this.#namespace = options.namespace
    this.#sightOf = options.sightOf
    this.#inTurn = options.inTurn ?? ((read) => read())
    this.#onRead = options.onRead
    this.#beatMs = options.beatMs ?? BEAT_MS
    this.#stopHearing = this.#feed.onSwept(() => this.#swept())
  }

  get size(): number {
    return this.#targets.size
  }

  add(jobId: JobId, afterSequence: number): void {
    if (this.#targets.has(jobId)) return
    const look = () => this.#lookAt(jobId)
    const target: Target = {
      state: undefined,
      progressRevision: 0,
      sequence: afterSequence,
      isRead: false,
      leave: () => {},
    }
    const found = (mark: JobMark | undefined) => {
      if (!isTold(target, mark)) look()
    }
    const terms = { elsewhere: true, caller: this.#caller }
    target.leave = this.#feed.listen(this.#namespace, jobId, { hint: look, found }, terms)
    this.#targets.set(jobId, target)
    look()
  }

  remove(jobId: JobId): void {
    this.#targets.get(jobId)?.leave()
    this.#targets.delete(jobId)
    this.#dirty.delete(jobId)
  }

  /** Lets a waiting reader look again. */
  wake(): void {
    this.#wake()
  }

  /** Resolves when there is something to read, when woken, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void> {
    if (this.#dirty.size > 0 || this.#isBeatDue || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = () => {
        signal.removeEventListener('abort', finish)
        this.#wake = () => {}
        resolve()
      }
      this.#wake = finish
      signal.addEventListener('abort', finish)
    })
  }

  /**
   * What has happened to jobs hinted at since they were read last; where there is more, `changed` says so at once. A watch
   * whose read failed is of no more use.
   */
  async read(jobsMax = JOBS_PER_READ_MAX): Promise<WatchEvent[]> {
    const ids: JobId[] = []
    for (const id of this.#dirty) {
      if (ids.length === jobsMax) break
      this.#dirty.delete(id)
      if (this.#targets.has(id)) ids.push(id)
    }
    return ids.length === 0 ? [] : await this.#readJobs(ids)
  }

  /** Whether the beat is due; asked for, it is over. */
  takeBeat(): boolean {
    if (!this.#isBeatDue || this.#dirty.size > 0) return false
    this.#isBeatDue = false
    this.#beatMsBefore = performance.now()
    return true
  }

  #swept(): void {
    if (performance.now() - this.#beatMsBefore < this.#beatMs) return
    this.#isBeatDue = true
    this.#wake()
  }

  async #readJobs(ids: readonly JobId[]): Promise<WatchEvent[]> {
    const found = await this.#read(ids)
    const events: WatchEvent[] = []
    const read: JobStanding[] = []
    const note = (standing: JobStanding, target: Target) => {
      if (!target.isRead) read.push(standing)
      target.isRead = true
    }
    let room = MESSAGES_PER_READ_MAX
    for (const [index, jobId] of ids.entries()) {
      const standing = found[index]
      const target = this.#targets.get(jobId)
      if (target === undefined) continue
      const sight = this.#sight(standing)
      const payloadHidden = sight === 'payload' ? undefined : true
      if (standing === undefined || sight === 'nothing') {
        events.push({ kind: 'missing', jobId })
        this.remove(jobId)
        continue
      }
      if (standing.completion === undefined && target.state !== standing.state) {
        target.state = standing.state
        events.push({ kind: 'state', jobId, state: standing.state })
      }
      const newest = standing.progress
      if (newest !== undefined && newest.revision > target.progressRevision) {
        target.progressRevision = newest.revision
        const progress = progressSeen(newest, sight)
        events.push({ kind: 'progress', jobId, payloadHidden, progress })
        if (newest.text !== '' || newest.extra !== undefined) note(standing, target)
      }
      if (standing.sequence > target.sequence) {
        const count = await this.#readMessages(jobId, target, sight, room, events)
        if (count > 0) note(standing, target)
        room -= count
        // Taken out meanwhile, perhaps added anew: the end is for the new target to tell, after its messages.
        if (this.#targets.get(jobId) !== target) continue
        if (room === 0) {
          this.#dirty.add(jobId)
          continue
        }
      }
      if (standing.completion !== undefined) {
        const completion = completionSeen(standing.completion, sight)
        events.push({ kind: 'completed', jobId, payloadHidden, completion })
        note(standing, target)
        this.remove(jobId)
      }
    }
    await this.#onRead(read)
    return events
  }

  /** Reads at most `limit` messages after the last one told; how many they were. */
  async #readMessages(
    jobId: JobId,
    target: Target,
    sight: Sight,
    limit: number,
    events: WatchEvent[],
  ): Promise<number> {
    if (limit === 0) return 0
    const messages = await this.#inTurn(() => this.#readMessagesOf(jobId, target.sequence, limit))
    for (const message of messages) {
      target.sequence = message.sequence
      const payloadHidden = sight === 'payload' ? undefined : true
      events.push({ kind: 'message', jobId, payloadHidden, message: messageSeen(message, sight) })
    }
    return messages.length
  }

  #sight(standing: JobStanding | undefined): Sight {
    if (standing === undefined || standing.namespace !== this.#namespace) return 'nothing'
    return this.#sightOf(standing.owner)
  }

  #lookAt(jobId: JobId): void {
    this.#dirty.add(jobId)
    this.#wake()
  }

  [Symbol.dispose](): void {
    this.#stopHearing()
    for (const target of this.#targets.values()) target.leave()
    this.#targets.clear()
    this.#wake()
  }
}

/** What is gone or has ended has not been told: it would be no target any more. */
function isTold(target: Target, mark: JobMark | undefined): boolean {
  if (mark === undefined || isTerminal(mark.state)) return false
  const { state, progressRevision, sequence } = target
  return (
    mark.state === state && mark.progressRevision <= progressRevision && mark.sequence <= sequence
  )
}
