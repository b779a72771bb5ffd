import type { HandlerEnd } from '../domain/attempt.ts'
import { RecentJobs } from '../domain/recent-jobs.ts'
import { verdictOf } from '../domain/verdict.ts'
import type { AttemptReports } from '../ports.ts'
import type { RunningAttempt } from './running-attempt.ts'

const HANDED_BACK_KEPT_MAX = 10_000

/** Tells how attempts have ended, counts them, and remembers the jobs under which threads had to be ended. */
export class Verdicts {
  readonly #reports: AttemptReports
  readonly #handedBackJobs = new RecentJobs(HANDED_BACK_KEPT_MAX)
  #finished = 0
  #handedBack = 0

  constructor(reports: AttemptReports) {
    this.#reports = reports
  }

  /** How many attempts ended in which way since the start. */
  get counts(): { readonly finished: number; readonly handedBack: number } {
    return { finished: this.#finished, handedBack: this.#handedBack }
  }

  /** Whether the job lost its thread, and has not ended since. */
  wasHandedBack(jobId: string): boolean {
    return this.#handedBackJobs.has(jobId)
  }

  /** How often it did, in a row. */
  timesHandedBack(jobId: string): number {
    return this.#handedBackJobs.times(jobId)
  }

  tell(running: RunningAttempt, end: HandlerEnd): void {
    const verdict = verdictOf(end, running.stop?.cause)
    switch (verdict.kind) {
      case 'report':
        this.#finished += 1
        this.#handedBackJobs.delete(running.jobId)
        this.#reports.ended(running, verdict.outcome)
        break
      case 'hand-back':
        this.#handedBack += 1
        if (end.kind === 'terminated') this.#handedBackJobs.add(running.jobId)
        this.#reports.handedBack(running)
        break
      case 'forget':
        this.#reports.forgotten(running)
        break
    }
  }
}
