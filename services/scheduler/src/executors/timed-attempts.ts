/**
 * What an executor runs under deadlines (row J17). The executor ends what is overdue; here is watched whether it does, so that
 * nothing outlasts its deadline for long on an executor that is frozen, or that does not know of them.
 *
 * Invariants:
 *  1. Time passes only while the executor could be heard: not while a frame of it is taken in, which a database that stands still
 *     holds up, and not while this process stands still. So nobody is taken for silent whose word waits to be read.
 *  2. What has moved to another attachment begins anew there, but for its total deadline, which is the job's.
 */
import { WakingClock } from '@offstage/kit/lifecycle'
import type { RunningDeadline } from '../domain/deadline.ts'
import type { RunningJob } from '../domain/held-job.ts'

export interface Overdue {
  readonly job: RunningJob
  readonly deadline: RunningDeadline
}

interface Timed {
  readonly job: RunningJob
  readonly beginMs: number
  heardMs: number
  /** For children: meanwhile it need not speak. */
  waiting: boolean
}

export class TimedAttempts {
  readonly #timed = new Map<string, Timed>()
  readonly #clock: WakingClock

  /** @param everyMs how often it is looked at */
  constructor(everyMs: number) {
    this.#clock = new WakingClock(everyMs)
  }

  /** Most jobs have no deadline, and are not watched. */
  add(job: RunningJob): void {
    const { attemptDeadlineMs, heartbeatDeadlineMs } = job.options ?? {}
    if ((attemptDeadlineMs ?? heartbeatDeadlineMs ?? job.totalLeftMs) === undefined) return
    const nowMs = this.#clock.nextMs
    this.#timed.set(job.id, { job, beginMs: nowMs, heardMs: nowMs, waiting: false })
  }

  /** A word of its handler. */
  heard(jobId: string, attempt: number): void {
    const timed = this.#timed.get(jobId)
    if (timed?.job.attempt === attempt) timed.heardMs = this.#clock.nextMs
  }

  waits(jobId: string, attempt: number, waiting: boolean): void {
    const timed = this.#timed.get(jobId)
    if (timed?.job.attempt === attempt) timed.waiting = waiting
    this.heard(jobId, attempt)
  }

  /**
   * What is overdue by more than the slack, each told once.
   * @param running what the executor runs; anything else is forgotten
   * @param isHeard whether its executor could be heard since the last look
   */
  look(running: ReadonlyMap<string, RunningJob>, isHeard: boolean, slackMs: number): Overdue[] {
    const nowMs = this.#clock.look(isHeard) - slackMs
    const overdue: Overdue[] = []
    for (const [id, timed] of this.#timed) {
      if (running.get(id) !== timed.job) this.#timed.delete(id)
      else {
        const deadline = passedBy(timed, nowMs)
        if (deadline === undefined) continue
        this.#timed.delete(id)
        overdue.push({ job: timed.job, deadline })
      }
    }
    return overdue
  }
}

function passedBy({ job, beginMs, heardMs, waiting }: Timed, nowMs: number) {
  const { attemptDeadlineMs, heartbeatDeadlineMs } = job.options ?? {}
  const isPast = (sinceMs: number, ms: number | undefined) =>
    ms !== undefined && nowMs - sinceMs > ms
  if (isPast(beginMs, job.totalLeftMs)) return 'total'
  if (isPast(beginMs, attemptDeadlineMs)) return 'attempt'
  return !waiting && isPast(heardMs, heartbeatDeadlineMs) ? 'heartbeat' : undefined
}
