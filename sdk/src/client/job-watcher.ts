/**
 * Brings waits together with what the scheduler says: pushed over one stream, polled as the fallback and
 * the truth (row L2). However many waits there are for a job, it is one target and one polled id; waits that
 * follow each other within one turn of the event loop, such as a loop of `waitAny`, go on with the same one.
 */

import { JobState, type JobStatus, JobView } from '@offstage/proto/jobs'
import { closedError } from '../grpc/mod.ts'
import type { IdleClock } from '../idle/clock.ts'
import type { Calls } from './calls.ts'
import { GrowingPoll } from './growing-poll.ts'
import { jobNotFound } from './job-errors.ts'
import { isPassing, readMessages, readStatuses } from './job-reads.ts'
import { isTerminal } from './job-state.ts'
import { openWatch } from './open-watch.ts'
import { type JobListener, TrackedJob } from './tracked-job.ts'
import { WatchStream } from './watch-stream.ts'
import { progressFrom } from './wire-events.ts'

/** Who listens to jobs. */
export interface Follower {
  /**
   * Listens to a job until it ends, is lost, or the returned function is called. What is known of the job
   * already is told before this returns; so is that the client is closed.
   */
  follow(jobId: string, listener: JobListener): () => void
  /** Waits still going on are told. */
  close(): void
}

/** Whose calls a watcher makes. */
export interface Watching {
  readonly namespace: string
  readonly clock: IdleClock
  call<T>(work: (calls: Calls) => T | Promise<T>): T | Promise<T>
}

export class JobWatcher implements Follower {
  readonly #watching: Watching
  readonly #jobs = new Map<string, TrackedJob>()
  readonly #stream: WatchStream
  readonly #poll: GrowingPoll
  /** Jobs nobody listens to any more, until the end of the turn. */
  #abandoned: TrackedJob[] = []
  #closed = false

  constructor(watching: Watching) {
    this.#watching = watching
    const { namespace, clock } = watching
    this.#stream = new WatchStream({
      namespace,
      clock,
      open: () => watching.call(openWatch),
      sequenceOf: (jobId) => this.#jobs.get(jobId)?.sequence ?? 0,
      onEvents: (events) => {
        for (const event of events) {
          const job = this.#jobs.get(event.jobId)
          if (job === undefined) continue
          if (
            event.event?.$case === 'state' &&
            event.event.value === JobState.JOB_STATE_UNSPECIFIED
          ) {
            job.lose(jobNotFound(job.id))
          } else job.apply(event)
        }
      },
      onFault: (error) => {
        for (const job of [...this.#jobs.values()]) job.lose(error)
      },
    })
    this.#poll = new GrowingPoll(
      clock,
      (ids) => this.#askAfter(ids),
      (id) => this.#stream.looksAfter(id),
    )
  }

  follow(jobId: string, listener: JobListener): () => void {
    if (this.#closed) {
      listener.onLost(closedError())
      return () => {}
    }
    const job = this.#jobs.get(jobId) ?? this.#track(jobId)
    job.addListener(listener)
    return () => {
      job.listeners.delete(listener)
      if (job.listeners.size === 0) this.#releaseSoon(job)
    }
  }

  /** Not at once: who waits again is told nothing twice, and a loop of waits sends nothing. */
  #releaseSoon(job: TrackedJob): void {
    if (this.#abandoned.push(job) > 1) return
    setImmediate(() => {
      const abandoned = this.#abandoned
      this.#abandoned = []
      for (const each of abandoned) if (each.listeners.size === 0) this.#release(each, false)
    })
  }

  #track(jobId: string): TrackedJob {
    const job: TrackedJob = new TrackedJob(jobId, {
      isWhole: !this.#stream.hasLeft(jobId),
      readMessages: async (id, after, take) =>
        this.#watching.call((calls) => readMessages(calls, id, after, take)),
      release: (ended) => this.#release(job, ended),
    })
    this.#jobs.set(jobId, job)
    this.#stream.add(jobId)
    this.#poll.add(jobId)
    return job
  }

  #release(job: TrackedJob, ended: boolean): void {
    if (this.#jobs.get(job.id) !== job) return
    this.#jobs.delete(job.id)
    this.#stream.remove(job.id, ended)
    this.#poll.remove(job.id)
  }

  async #askAfter(ids: string[]): Promise<void> {
    const asked = ids.flatMap((id) => this.#jobs.get(id) ?? [])
    try {
      const statuses = await this.#watching.call((calls) => readStatuses(calls, ids))
      const byId = new Map(statuses.map((status) => [status.jobId, status]))
      for (const job of asked) {
        const status = byId.get(job.id)
        if (status !== undefined) this.#takeStatus(job, status)
      }
    } catch (error) {
      // A scheduler that is away comes back, and the jobs have gone on meanwhile (row J7).
      if (isPassing(error)) return
      for (const job of asked) job.lose(error)
    }
    for (const job of asked) {
      if (!this.#stream.live && this.#jobs.get(job.id) === job && job.isObserved) {
        await this.#catchUp(job).catch((error) => isPassing(error) || job.lose(error))
      }
    }
  }

  #takeStatus(job: TrackedJob, { state, completion }: JobStatus): void {
    if (state === JobState.JOB_STATE_UNSPECIFIED) job.lose(jobNotFound(job.id))
    else if (isTerminal(state) && completion !== undefined) job.endByPoll(completion)
    else job.applyState(state)
  }

  /** Reads what the stream would have pushed. */
  async #catchUp(job: TrackedJob): Promise<void> {
    await job.fill()
    const { namespace } = this.#watching
    const request = { namespace, jobId: job.id, view: JobView.JOB_VIEW_BASIC }
    const { job: record } = await this.#watching.call((calls) => {
      const { jobs } = calls.connection
      return calls.callScheduler(jobs.getJob.bind(jobs), request)
    })
    if (record?.progress !== undefined) job.applyProgress(progressFrom(record.progress))
  }

  /** Ends the stream and the poll, too. */
  close(): void {
    this.#closed = true
    const jobs = [...this.#jobs.values()]
    this.#stream.close()
    this.#poll.close()
    this.#jobs.clear()
    for (const job of jobs) job.lose(closedError())
  }
}
