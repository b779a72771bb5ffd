/**
 * Who waits for which job on this replica, and how they are told.
 *
 * A replica hears of a job in three ways: it ended the job itself (the completion comes along), another replica's event came
 * over the bus, or the sweep compared it with the database. All three are told to the same listeners; only the first spares them
 * a read, and of the third nothing is told of a job that is as it was.
 *
 * Invariants:
 *  1. A job is subscribed to on the bus exactly while it has listeners, and only if some listener asked for it.
 *  2. Whoever listens, then reads, then waits, misses no end: what ends after the read is told, by a hint or within one
 *     period of the sweep (guarantees 4 and 5).
 *  3. At most WAITED_FOR_MAX jobs are waited for, and at most so many by one caller; beyond that a wait is refused
 *     (guarantee 6).
 */
import type { Subscription } from '@offstage/kit/bus'
import { Tallies } from '@offstage/kit/fairness'
import type { JobMark, JobStanding } from '../domain/job.ts'
import { isTerminal } from '../domain/job-state.ts'
import type { JobEvents, JobHint } from '../events/job-events.ts'
import { tooManyWaiters } from '../refusals.ts'

export interface JobListener {
  /** `standing` is set when the teller knows that the job has ended, and how. */
  hint(hint: JobHint, standing?: JobStanding): void
  /** What the sweep has found, of a job that may have changed since; undefined: it is gone. */
  found(mark: JobMark | undefined): void
}

/** The sweep compares them all each period. */
export const WAITED_FOR_MAX = 200_000

interface Entry {
  readonly listeners: Set<JobListener>
  subscription: Subscription | undefined
  /** As the last sweep found it; undefined where somebody may have read it since, as something else. */
  mark: JobMark | undefined
}

export class JobFeed {
  readonly #entries = new Map<string, Entry>()
  readonly #events: JobEvents
  readonly #max: number
  readonly #callerMax: number
  /** A job counts as often as the caller listens to it. */
  readonly #ofCallers = new Tallies()
  readonly #onSwept = new Set<() => void>()

  constructor(events: JobEvents, max = WAITED_FOR_MAX, callerMax = Number.POSITIVE_INFINITY) {
    this.#events = events
    this.#max = max
    this.#callerMax = callerMax
  }

  /** Throws TOO_MANY_WAITERS where so many more jobs cannot be waited for. */
  makeRoom(count: number, caller: string): void {
    if (this.#entries.size + count > this.#max) throw tooManyWaiters(this.#max)
    this.#checkCaller(caller, count)
  }

  /**
   * Listens to a job until the returned function is called. `elsewhere`: the job may end on another replica; false
   * where this replica is sure to end it, which saves a subscription on the hot path.
   */
  listen(
    namespace: string,
    jobId: string,
    listener: JobListener,
    { elsewhere, caller }: { elsewhere: boolean; caller: string },
  ): () => void {
    let entry = this.#entries.get(jobId)
    if (!entry?.listeners.has(listener)) this.#checkCaller(caller, 1)
    if (entry === undefined) {
      if (this.#entries.size >= this.#max) throw tooManyWaiters(this.#max)
      entry = { listeners: new Set(), subscription: undefined, mark: undefined }
      this.#entries.set(jobId, entry)
    }
    if (!entry.listeners.has(listener)) {
      entry.listeners.add(listener)
      entry.mark = undefined
      this.#ofCallers.add(caller, 1)
    }
    if (elsewhere) {
      entry.subscription ??= this.#events.onJob(namespace, jobId, (hint) => this.tell(jobId, hint))
    }
    return () => this.#leave(jobId, listener, caller)
  }

  #checkCaller(caller: string, more: number): void {
    if (this.#ofCallers.of(caller) + more > this.#callerMax) {
      throw tooManyWaiters(this.#callerMax, 'caller_watched')
    }
  }

  #leave(jobId: string, listener: JobListener, caller: string): void {
    const entry = this.#entries.get(jobId)
    if (entry === undefined || !entry.listeners.delete(listener)) return
    this.#ofCallers.add(caller, -1)
    if (entry.listeners.size > 0) return
    entry.subscription?.unsubscribe()
    this.#entries.delete(jobId)
  }

  tell(jobId: string, hint: JobHint, standing?: JobStanding): void {
    const entry = this.#entries.get(jobId)
    if (entry === undefined) return
    entry.mark = undefined
    for (const listener of [...entry.listeners]) listener.hint(hint, standing)
  }

  /** The jobs somebody waits for: what the sweep compares. */
  awaited(): { readonly id: string; readonly mark: JobMark | undefined }[] {
    return Array.from(this.#entries, ([id, { mark }]) => ({ id, mark }))
  }

  /** The sweep found a job otherwise than it was, or ended: that is told at each sweep, for a read of it may fail. */
  found(jobId: string, mark: JobMark | undefined): void {
    const entry = this.#entries.get(jobId)
    if (entry === undefined) return
    entry.mark = mark !== undefined && isTerminal(mark.state) ? undefined : mark
    for (const listener of [...entry.listeners]) listener.found(mark)
  }

  /** The sweep has compared all jobs. */
  swept(): void {
    for (const tell of [...this.#onSwept]) tell()
  }

  /** Tells of each sweep that is done, until the returned function is called. */
  onSwept(tell: () => void): () => void {
    this.#onSwept.add(tell)
    return () => void this.#onSwept.delete(tell)
  }

  get size(): number {
    return this.#entries.size
  }
}
