/**
 * Runs attempts on the lanes and sees to it that each ends: by itself, by its deadline, by a cancel,
 * or with its thread.
 *
 * 1. Every attempt given to `start` ends in exactly one verdict: reported, handed back or forgotten.
 * 2. An attempt told to stop is over within its grace: then its thread is terminated (guarantee 7).
 *    Neighbours on that thread that were not told to stop are handed back.
 * 3. The first cause to stop an attempt stands, but for `fenced`, which overrides all others.
 * 4. A parked attempt (it waits for children, row J11) holds no slot. At most `PARKED_MAX` of a lane
 *    are parked; further ones keep their slots while they wait.
 */

import assert from 'node:assert/strict'
import type {
  AttemptKey,
  AttemptOrder,
  AttemptRef,
  HandlerEnd,
  LaneName,
} from '../domain/attempt.ts'
import { type StopCause, verdictOf } from '../domain/verdict.ts'
import type { AttemptReports } from '../ports.ts'
import type { HandlerThread, ThreadEnd, ThreadListener } from './handler-thread.ts'
import type { Lane } from './lane.ts'
import { stopReason } from './stop-reason.ts'
import type { ThreadReports } from './thread-messages.ts'

/** How long a handler may take to stop where no order says otherwise. */
export const STOP_GRACE_MS = 5_000
/** Each keeps a thread; of the inline lane a few kilobytes, and as many as there may be slots. */
const PARKED_MAX: Readonly<Record<LaneName, number>> = { inline: 100_000, task: 1_024, work: 1_024 }

interface RunningAttempt extends AttemptRef {
  readonly key: AttemptKey
  readonly lane: Lane
  readonly thread: HandlerThread
  parked: boolean
  stop: { cause: StopCause; readonly timer: NodeJS.Timeout } | undefined
  deadline: NodeJS.Timeout | undefined
}

export class Supervisor implements ThreadListener {
  readonly #lanes = new Map<LaneName, Lane>()
  readonly #attempts = new Map<AttemptKey, RunningAttempt>()
  readonly #reports: AttemptReports
  #idle: PromiseWithResolvers<void> | undefined
  #finished = 0
  #handedBack = 0

  constructor(reports: AttemptReports) {
    this.#reports = reports
  }

  addLane(lane: Lane): void {
    this.#lanes.set(lane.name, lane)
  }

  /** The attempts that have not ended. */
  get running(): Iterable<AttemptRef> {
    return this.#attempts.values()
  }

  /** How many attempts ended in which way since the start. */
  get counts(): { readonly finished: number; readonly handedBack: number } {
    return { finished: this.#finished, handedBack: this.#handedBack }
  }

  lane(name: LaneName): Lane {
    const lane = this.#lanes.get(name)
    assert(lane !== undefined, `there is a lane ${name}`)
    return lane
  }

  has(key: AttemptKey): boolean {
    return this.#attempts.has(key)
  }

  start(order: AttemptOrder): void {
    assert(!this.#attempts.has(order.key), 'an attempt is started once')
    const lane = this.lane(order.lane)
    lane.slots.occupy()
    const { key, jobId, attempt, deadlineMs } = order
    const thread = lane.run(order)
    const deadline =
      deadlineMs === undefined
        ? undefined
        : setTimeout(
            () => this.stop(key, { kind: 'overdue', deadlineMs }, STOP_GRACE_MS),
            deadlineMs,
          )
    this.#attempts.set(key, {
      key,
      jobId,
      attempt,
      lane,
      thread,
      parked: false,
      stop: undefined,
      deadline,
    })
  }

  /** Tells an attempt to stop, and ends its thread when it has not done so within the grace. */
  stop(key: AttemptKey, cause: StopCause, graceMs: number): void {
    const running = this.#attempts.get(key)
    if (running === undefined) return
    if (running.stop !== undefined) {
      if (cause.kind === 'fenced') running.stop.cause = cause
      return
    }
    const timer = startTimer(() => void running.thread.terminate(), graceMs)
    running.stop = { cause, timer }
    if (running.thread.usable) running.thread.stop({ key, ...stopReason(cause) })
  }

  stopAll(cause: StopCause, graceMs: number): void {
    for (const key of this.#attempts.keys()) this.stop(key, cause, graceMs)
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    if (this.#attempts.size === 0) return Promise.resolve()
    this.#idle ??= Promise.withResolvers()
    return this.#idle.promise
  }

  onReports(thread: HandlerThread, reports: ThreadReports): void {
    for (const { key, note } of reports.progress ?? []) {
      const running = this.#attempts.get(key)
      if (running !== undefined) this.#reports.progressed(running, note)
    }
    for (const key of reports.heartbeats ?? []) {
      const running = this.#attempts.get(key)
      if (running !== undefined) this.#reports.progressed(running, undefined)
    }
    for (const { key, note } of reports.messages ?? []) {
      const running = this.#attempts.get(key)
      if (running !== undefined) this.#reports.messaged(running, note)
    }
    for (const { key, waiting } of reports.waiting ?? []) {
      const running = this.#attempts.get(key)
      if (running !== undefined) this.#wait(running, waiting)
    }
    for (const { key, end } of reports.ends ?? []) {
      const running = this.#attempts.get(key)
      if (running?.thread === thread) this.#end(running, end)
    }
  }

  onEnded(thread: HandlerThread, end: ThreadEnd): void {
    for (const key of [...thread.attempts]) {
      const running = this.#attempts.get(key)
      if (running !== undefined) this.#end(running, end)
    }
  }

  #wait(running: RunningAttempt, waiting: boolean): void {
    const { name, slots } = running.lane
    if (waiting && slots.parked < PARKED_MAX[name]) {
      slots.park()
      running.parked = true
    } else if (!waiting && running.parked) {
      slots.resume()
      running.parked = false
    }
    this.#reports.waited(running, waiting)
    this.#reports.creditsChanged()
  }

  #end(running: RunningAttempt, end: HandlerEnd): void {
    this.#attempts.delete(running.key)
    clearTimeout(running.deadline)
    clearTimeout(running.stop?.timer)
    running.lane.release(running.thread, running.key)
    running.lane.slots.release(running.parked)
    this.#tell(running, end)
    this.#reports.creditsChanged()
    if (this.#attempts.size === 0) {
      this.#idle?.resolve()
      this.#idle = undefined
    }
  }

  #tell(running: RunningAttempt, end: HandlerEnd): void {
    const verdict = verdictOf(end, running.stop?.cause)
    switch (verdict.kind) {
      case 'report':
        this.#finished += 1
        this.#reports.ended(running, verdict.outcome)
        break
      case 'hand-back':
        this.#handedBack += 1
        this.#reports.handedBack(running)
        break
      case 'forget':
        this.#reports.forgotten(running)
        break
    }
  }
}

/** Node would fire a longer timer at once; 24 days are as good as never. */
const TIMER_MS_MAX = 2 ** 31 - 1

function startTimer(work: () => void, delayMs: number): NodeJS.Timeout {
  return setTimeout(work, Math.min(delayMs, TIMER_MS_MAX))
}
