/**
 * The one WatchJobs stream of a client: every job somebody waits for is a target on it (row L2). Never
 * a stream for each job, since a server drops a connection after about a thousand quick resets.
 *
 * `idle`: no stream. `open`: one stream; targets come and go on it. `broken`: none, one is opened again
 * when the timer fires.
 *
 * 1. At most one stream at a time; what an earlier one still says is not listened to.
 * 2. A new stream gets all targets, each from the last message that was passed on.
 * 3. At most {@link TARGETS_MAX} targets; those beyond wait for room, meanwhile the poll serves them.
 * 4. Targets added in one turn of the event loop go out in one message.
 * 5. Nothing here rejects or throws into the event loop: what is no matter of time is told by `onFault`.
 * 6. A stream without targets is ended in order after {@link IDLE_MS}.
 * 7. A response without events is a beat: the scheduler has just compared what it told of the targets with its database. While they
 *    come, nobody else need ask after these targets.
 */
import type { JobEvent, WatchJobsRequest, WatchJobsResponse } from '@offstage/proto/jobs'
import { type BidiCall, OffstageError } from '../grpc/mod.ts'
import type { IdleClock, IdleTimer } from '../idle/clock.ts'

/** What one stream takes. */
const TARGETS_MAX = 10_000
/** Keeps one message far below the size limit. */
const ADD_MAX = 1_000
/** How many ids that have left are remembered; beyond it every id counts as one. */
const LEFT_MAX = 10_000
/** They come every 5 s or so. */
const BEAT_VALID_MS = 15_000
/** Short, since an open stream keeps the process running; waits one after another still share one. */
const IDLE_MS = 500
const REOPEN_FIRST_MS = 100
const REOPEN_MS_MAX = 15_000

export type WatchCall = BidiCall<WatchJobsRequest, WatchJobsResponse>

export interface WatchStreamOptions {
  readonly namespace: string
  readonly clock: IdleClock
  /** Opens a stream; later where who calls is still to be known. */
  open(): WatchCall | Promise<WatchCall>
  /** From where a target goes on. */
  sequenceOf(jobId: string): number
  onEvents(events: readonly JobEvent[]): void
  /** No stream can be opened, or events could not be taken in: not a matter of trying again. */
  onFault(error: unknown): void
}

type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'open'; readonly call: WatchCall }
  | { readonly kind: 'broken'; readonly timer: IdleTimer }

export class WatchStream {
  readonly #options: WatchStreamOptions
  /** All that are wanted, in the order they came. */
  readonly #wanted = new Set<string>()
  /** Those of them that are on the stream. */
  readonly #sent = new Map<string, { readonly beats: number }>()
  readonly #unsent = new Set<string>()
  #removals: string[] = []
  /** Those taken out of this stream before their end. */
  readonly #left = new Set<string>()
  #phase: Phase = { kind: 'idle' }
  #failures = 0
  #heard = false
  #beats = 0
  #beatMs = Number.NEGATIVE_INFINITY
  #flushing = false
  #idleTimer: IdleTimer | undefined

  constructor(options: WatchStreamOptions) {
    this.#options = options
  }

  /** Whether events come in: something was heard on the stream that is open. */
  get live(): boolean {
    return this.#phase.kind === 'open' && this.#heard
  }

  /** Whether the scheduler looks after this target, and lately has said so: then a poll would tell nothing new. */
  looksAfter(jobId: string): boolean {
    const sent = this.#sent.get(jobId)
    if (sent === undefined || this.#phase.kind !== 'open' || this.#beats <= sent.beats) return false
    return this.#options.clock.now() - this.#beatMs < BEAT_VALID_MS
  }

  /** Whether what is heard of this job may still be meant for a target that was taken out. */
  hasLeft(jobId: string): boolean {
    return this.#left.size >= LEFT_MAX || this.#left.has(jobId)
  }

  add(jobId: string): void {
    this.#wanted.add(jobId)
    this.#unsent.add(jobId)
    this.#idleTimer?.cancel()
    this.#idleTimer = undefined
    this.#flushSoon()
  }

  /** Takes a target out; one that has ended has left the stream by itself. */
  remove(jobId: string, ended: boolean): void {
    this.#wanted.delete(jobId)
    this.#unsent.delete(jobId)
    if (this.#sent.delete(jobId) && !ended) {
      this.#removals.push(jobId)
      if (this.#left.size < LEFT_MAX) this.#left.add(jobId)
    }
    if (this.#removals.length > 0 || this.#unsent.size > 0) this.#flushSoon()
    if (this.#wanted.size === 0) this.#rest()
  }

  /** Ends the stream in order. */
  close(): void {
    this.#wanted.clear()
    this.#idleTimer?.cancel()
    if (this.#phase.kind === 'broken') this.#phase.timer.cancel()
    if (this.#phase.kind === 'open') this.#end(this.#phase.call)
    this.#phase = { kind: 'idle' }
  }

  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => void this.#flush())
  }

  async #flush(): Promise<void> {
    try {
      if (this.#phase.kind === 'idle' && this.#wanted.size > 0) await this.#open()
      for (;;) {
        const phase = this.#phase
        const request = phase.kind === 'open' ? this.#nextRequest() : undefined
        if (phase.kind !== 'open' || request === undefined) break
        if (!phase.call.send(request)) await phase.call.drained()
      }
    } catch (error) {
      this.#options.onFault(error)
    } finally {
      this.#flushing = false
    }
  }

  #nextRequest(): WatchJobsRequest | undefined {
    const add: WatchJobsRequest['add'] = []
    for (const jobId of this.#unsent) {
      if (add.length === ADD_MAX || this.#sent.size === TARGETS_MAX) break
      this.#unsent.delete(jobId)
      this.#sent.set(jobId, { beats: this.#beats })
      add.push({ jobId, afterSequence: this.#options.sequenceOf(jobId) })
    }
    if (add.length === 0 && this.#removals.length === 0) return undefined
    const removeJobIds = this.#removals
    this.#removals = []
    return { namespace: this.#options.namespace, add, removeJobIds }
  }

  async #open(): Promise<void> {
    const opened = this.#options.open()
    const call = opened instanceof Promise ? await opened : opened
    // Meanwhile nobody may be waiting any more.
    if (this.#wanted.size === 0) {
      call.cancel()
      return
    }
    const phase = { kind: 'open', call } as const
    this.#phase = phase
    this.#heard = false
    this.#removals = []
    this.#left.clear()
    this.#sent.clear()
    for (const jobId of this.#wanted) this.#unsent.add(jobId)
    void this.#read(phase)
  }

  async #read(phase: Phase & { kind: 'open' }): Promise<void> {
    try {
      for await (const { events } of phase.call.responses) {
        if (this.#phase !== phase) continue
        this.#heard = true
        this.#failures = 0
        if (events.length === 0) this.#noteBeat()
        else this.#options.onEvents(events)
      }
    } catch (error) {
      if (this.#phase === phase) this.#break()
      if (!(error instanceof OffstageError)) this.#options.onFault(error)
      return
    }
    if (this.#phase === phase) this.#break()
  }

  #noteBeat(): void {
    this.#beats += 1
    this.#beatMs = this.#options.clock.now()
  }

  #break(): void {
    const boundMs = Math.min(REOPEN_MS_MAX, REOPEN_FIRST_MS * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 16)
    const delayMs = boundMs * (0.5 + Math.random() / 2)
    const reopen = () => {
      this.#phase = { kind: 'idle' }
      if (this.#wanted.size > 0) this.#flushSoon()
    }
    this.#phase = { kind: 'broken', timer: this.#options.clock.startTimer(reopen, delayMs, false) }
  }

  #rest(): void {
    this.#idleTimer?.cancel()
    const end = () => {
      if (this.#wanted.size > 0 || this.#phase.kind !== 'open') return
      this.#end(this.#phase.call)
      this.#phase = { kind: 'idle' }
    }
    this.#idleTimer = this.#options.clock.startTimer(end, IDLE_MS, false)
  }

  #end(call: WatchCall): void {
    const removeJobIds = [...this.#sent.keys(), ...this.#removals]
    const { namespace } = this.#options
    if (removeJobIds.length > 0) call.send({ namespace, add: [], removeJobIds })
    this.#sent.clear()
    this.#removals = []
    call.end()
  }
}
