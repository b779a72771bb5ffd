/**
 * What is known of one job somebody waits for. Fed by the watch stream and by the poll, in any mix, and
 * says the same from either (row L2).
 *
 * 1. Messages reach listeners in order of their sequence, each once; a gap is read from the scheduler
 *    before what comes after it is passed on.
 * 2. Progress only goes forward: an older or repeated revision is dropped.
 * 3. The end is passed on once, after all messages that were seen before it.
 */
import type { Completion, JobEvent, JobState } from '@offstage/proto/jobs'
import type { JobMessage, Progress } from './events.ts'
import { isTerminal } from './job-state.ts'
import { messageFrom, progressFrom } from './wire-events.ts'

/** What a wait wants to hear. An error thrown by `onProgress` or `onMessage` comes back as `onLost`. */
export interface JobListener {
  readonly onState?: (state: JobState) => void
  readonly onProgress?: (progress: Progress) => void
  readonly onMessage?: (message: JobMessage) => void
  /** The job has ended. `messages` are all of its messages, or undefined where they were not pushed. */
  readonly onEnd: (completion: Completion, messages: readonly JobMessage[] | undefined) => void
  /** The wait cannot go on: no such job, no rights, or a listener threw. */
  readonly onLost: (error: unknown) => void
}

/** A job may have any number of messages; memory keeps the newest of them. */
export const MESSAGES_KEPT_MAX = 10_000

export interface TrackedJobOptions {
  /** Whether all that is pushed of the job is meant for it, so that before the end came all messages. */
  readonly isWhole: boolean
  /** Reads the messages after a sequence number, in order, and gives each to `take`. */
  readMessages(
    jobId: string,
    afterSequence: number,
    take: (message: JobMessage) => void,
  ): Promise<void>
  /** Forgets this job, so that a wait begun from a listener starts afresh. */
  release(ended: boolean): void
}

export class TrackedJob {
  readonly id: string
  readonly listeners = new Set<JobListener>()
  readonly #options: TrackedJobOptions
  readonly #messages: JobMessage[] = []
  #state: JobState | undefined
  #progress: Progress | undefined
  #sequence = 0
  #sequenceSeenMax = 0
  #filling: Promise<void> | undefined
  #ended = false

  constructor(id: string, options: TrackedJobOptions) {
    this.id = id
    this.#options = options
  }

  /** Messages up to this number have been passed on; a watch goes on after it. */
  get sequence(): number {
    return this.#sequence
  }

  /** Whether anybody wants more than the end. */
  get isObserved(): boolean {
    for (const { onProgress, onMessage } of this.listeners) if (onProgress || onMessage) return true
    return false
  }

  /** Adds a listener and tells it what was heard so far. */
  addListener(listener: JobListener): void {
    this.listeners.add(listener)
    if (this.#state !== undefined) listener.onState?.(this.#state)
    for (const message of this.#messages) this.#tell(listener, () => listener.onMessage?.(message))
    const progress = this.#progress
    if (progress !== undefined) this.#tell(listener, () => listener.onProgress?.(progress))
  }

  /** Takes in an event of the watch stream. */
  apply({ event }: JobEvent): void {
    switch (event?.$case) {
      case 'state':
        this.applyState(event.value)
        break
      case 'progress':
        this.applyProgress(progressFrom(event.value))
        break
      case 'message':
        this.#applyMessage(messageFrom(event.value))
        break
      case 'completion':
        this.#endWhenFilled(event.value)
        break
    }
  }

  applyState(state: JobState): void {
    if (this.#ended || isTerminal(state)) return
    this.#state = state
    for (const listener of this.listeners) listener.onState?.(state)
  }

  applyProgress(progress: Progress): void {
    if (progress.revision <= (this.#progress?.revision ?? 0)) return
    this.#progress = progress
    for (const listener of this.listeners) {
      this.#tell(listener, () => listener.onProgress?.(progress))
    }
  }

  #applyMessage(message: JobMessage): void {
    this.#sequenceSeenMax = Math.max(this.#sequenceSeenMax, message.sequence)
    if (message.sequence > this.#sequence + 1) void this.fill().catch((error) => this.lose(error))
    else this.#take(message)
  }

  #take(message: JobMessage): void {
    if (message.sequence <= this.#sequence) return
    this.#sequence = message.sequence
    this.#messages.push(message)
    if (this.#messages.length > MESSAGES_KEPT_MAX) this.#messages.shift()
    for (const listener of this.listeners) this.#tell(listener, () => listener.onMessage?.(message))
  }

  /** Reads what is missing after the newest message passed on; joined when under way. */
  fill(): Promise<void> {
    this.#filling ??= this.#fillUp().finally(() => {
      this.#filling = undefined
    })
    return this.#filling
  }

  async #fillUp(): Promise<void> {
    // What is read stands for the gap (invariant 1): the scheduler may keep only the newest.
    do {
      const before = this.#sequence
      await this.#options.readMessages(this.id, before, (message) => this.#take(message))
      if (this.#sequence === before) return
    } while (this.#sequenceSeenMax > this.#sequence)
  }

  /** Takes in the end as the watch stream tells it: every message came before (row L3). */
  #endWhenFilled(completion: Completion): void {
    const end = () => this.#end(completion, this.#options.isWhole ? this.#messages : undefined)
    if (this.#filling === undefined) end()
    // Where filling fails the poll tells the end.
    else this.#filling.then(end, () => {})
  }

  /** Takes in the end as the poll tells it: there may be messages that were not pushed. */
  endByPoll(completion: Completion): void {
    this.#end(completion, undefined)
  }

  #end(completion: Completion, messages: readonly JobMessage[] | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.release(true)
    for (const listener of [...this.listeners]) listener.onEnd(completion, messages)
  }

  /** Ends all waits for the job with an error. */
  lose(error: unknown): void {
    this.#options.release(false)
    for (const listener of [...this.listeners]) listener.onLost(error)
  }

  #tell(listener: JobListener, tell: () => void): void {
    try {
      tell()
    } catch (error) {
      listener.onLost(error)
    }
  }
}
