/**
 * Asks after jobs at growing intervals: 1 s, then 1.4 times longer each time, up to 15 s (row L2). It is
 * the truth behind the watch stream: it runs whether or not events are pushed, so a lost event costs
 * time and never a job. It rests for those jobs alone of which the scheduler keeps saying that it compares what it pushed with
 * what is true.
 *
 * 1. One timer for all jobs, at the earliest due time; none where nobody waits.
 * 2. Jobs due within {@link TOGETHER_MS} of each other are asked after in one call.
 * 3. A job is asked after by one call at a time; a failed call is made up for at the next interval.
 */
import type { IdleClock, IdleTimer } from '../idle/clock.ts'

export const POLL_FIRST_MS = 1_000
export const POLL_GROWTH = 1.4
export const POLL_MS_MAX = 15_000
/** Ten calls a second at most, however many jobs are waited for one by one. */
const TOGETHER_MS = 100
/** What one WaitJobs takes. */
const IDS_MAX = 1_000

interface PolledJob {
  readonly id: string
  intervalMs: number
  dueMs: number
  asking: boolean
}

export class GrowingPoll {
  readonly #clock: IdleClock
  /** Asks after jobs; expected failures are its own to deal with, so it never rejects. */
  readonly #ask: (ids: string[]) => Promise<void>
  readonly #isLookedAfter: (id: string) => boolean
  readonly #jobs = new Map<string, PolledJob>()
  #timer: { readonly timer: IdleTimer; readonly atMs: number } | undefined

  constructor(
    clock: IdleClock,
    ask: (ids: string[]) => Promise<void>,
    isLookedAfter: (id: string) => boolean = () => false,
  ) {
    this.#clock = clock
    this.#ask = ask
    this.#isLookedAfter = isLookedAfter
  }

  add(id: string): void {
    const dueMs = this.#clock.now() + POLL_FIRST_MS
    this.#jobs.set(id, { id, intervalMs: POLL_FIRST_MS, dueMs, asking: false })
    this.#wakeAt(dueMs)
  }

  remove(id: string): void {
    this.#jobs.delete(id)
    if (this.#jobs.size === 0) this.#disarm()
  }

  close(): void {
    this.#jobs.clear()
    this.#disarm()
  }

  #wakeAt(atMs: number): void {
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return
    this.#disarm()
    const delayMs = Math.max(0, atMs - this.#clock.now())
    this.#timer = { timer: this.#clock.startTimer(() => this.#wake(), delayMs, true), atMs }
  }

  #disarm(): void {
    this.#timer?.timer.cancel()
    this.#timer = undefined
  }

  #wake(): void {
    this.#timer = undefined
    const nowMs = this.#clock.now()
    const due: PolledJob[] = []
    let nextMs = Number.POSITIVE_INFINITY
    for (const job of this.#jobs.values()) {
      if (job.dueMs <= nowMs + TOGETHER_MS) {
        if (!job.asking && !this.#isLookedAfter(job.id)) due.push(job)
        job.intervalMs = Math.min(POLL_MS_MAX, job.intervalMs * POLL_GROWTH)
        job.dueMs = nowMs + job.intervalMs
      }
      nextMs = Math.min(nextMs, job.dueMs)
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#wakeAt(nextMs)
    for (let at = 0; at < due.length; at += IDS_MAX)
      void this.#askAfter(due.slice(at, at + IDS_MAX))
  }

  async #askAfter(jobs: readonly PolledJob[]): Promise<void> {
    for (const job of jobs) job.asking = true
    await this.#ask(jobs.map(({ id }) => id))
    for (const job of jobs) job.asking = false
  }
}
