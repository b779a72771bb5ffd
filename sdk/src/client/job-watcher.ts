/**
 * Brings waits together with what the scheduler says: pushed over one stream, polled as the fallback and
 * the truth (row L2). However many waits there are for a job, it is one target and one polled id; waits that
 * follow each other within one turn of the event loop, such as a loop of `waitAny`, go on with the same one.
 */

import { durationFrom } from '@offstage/proto/durations'
import {
  JobState,
  type JobStatus,
  JobView,
  type ListJobMessagesResponse,
  WaitMode,
} from '@offstage/proto/jobs'
import { closedError, OffstageError } from '../grpc/mod.ts'
import type { Calls } from './calls.ts'
import type { JobMessage } from './events.ts'
import { GrowingPoll } from './growing-poll.ts'
import { jobNotFound } from './job-errors.ts'
import { isTerminal } from './job-state.ts'
import { openWatch } from './open-watch.ts'
import { type JobListener, TrackedJob } from './tracked-job.ts'
import { WatchStream } from './watch-stream.ts'
import { messageFrom, progressFrom } from './wire-events.ts'

/** A poll that takes longer is given up and made up for later. */
const POLL_CALL_MS_MAX = 10_000
const MESSAGES_PAGE = 1_000

export class JobWatcher {
  readonly #calls: Calls
  readonly #jobs = new Map<string, TrackedJob>()
  readonly #stream: WatchStream
  readonly #poll: GrowingPoll
  /** Jobs nobody listens to any more, until the end of the turn. */
  #abandoned: TrackedJob[] = []
  #closed = false

  constructor(calls: Calls) {
    this.#calls = calls
    const { namespace } = calls.identity
    this.#stream = new WatchStream({
      namespace,
      clock: calls.clock,
      open: () => openWatch(calls),
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
      calls.clock,
      (ids) => this.#askAfter(ids),
      (id) => this.#stream.looksAfter(id),
    )
  }

  /**
   * Listens to a job until it ends, is lost, or the returned function is called. What is known of the job
   * already is told before this returns; so is that the client is closed.
   */
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
      readMessages: (id, after, take) => this.readMessages(id, after, take),
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

  /** Reads the states of jobs without waiting, in the order of `jobIds` (at most 1,000), with the ends of those that have ended, as far as they could be read. */
  async readStatuses(
    jobIds: string[],
    signal?: AbortSignal,
    deadlineMs = POLL_CALL_MS_MAX,
  ): Promise<JobStatus[]> {
    const statuses = await this.#askStatuses(jobIds, signal, deadlineMs)
    for (let before = statuses.length; ; ) {
      // One answer holds only so many results; each leaves out fewer than the one before.
      const left = statuses.flatMap((status, index) => (isEndLeftOut(status) ? [index] : []))
      if (left.length === 0 || left.length >= before) return statuses
      before = left.length
      const ids = left.map((index) => jobIds[index] ?? '')
      try {
        const more = await this.#askStatuses(ids, signal, deadlineMs)
        for (const [at, status] of more.entries()) statuses[left[at] ?? -1] = status
      } catch (error) {
        // What was read is kept: read anew each time, many large results might never be read whole.
        if (isPassing(error)) return statuses
        throw error
      }
    }
  }

  async #askStatuses(
    jobIds: string[],
    signal: AbortSignal | undefined,
    deadlineMs: number,
  ): Promise<JobStatus[]> {
    const { jobs } = this.#calls.connection
    const { statuses } = await this.#calls.callScheduler(
      jobs.waitJobs.bind(jobs),
      {
        namespace: this.#calls.identity.namespace,
        jobIds,
        mode: WaitMode.WAIT_MODE_ALL,
        timeout: durationFrom(0),
      },
      { signal, deadlineMs, attempts: 1 },
    )
    return statuses
  }

  /** Reads the messages of a job after a sequence number, page by page (row J15). */
  async readMessages(
    jobId: string,
    afterSequence: number,
    take: (message: JobMessage) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const { jobs } = this.#calls.connection
    const { namespace } = this.#calls.identity
    for (let pageToken = ''; ; ) {
      const page: ListJobMessagesResponse = await this.#calls.callScheduler(
        jobs.listJobMessages.bind(jobs),
        { namespace, jobId, afterSequence, pageSize: MESSAGES_PAGE, pageToken },
        { signal },
      )
      for (const message of page.messages) take(messageFrom(message))
      pageToken = page.nextPageToken
      if (pageToken === '') return
    }
  }

  async #askAfter(ids: string[]): Promise<void> {
    const asked = ids.flatMap((id) => this.#jobs.get(id) ?? [])
    try {
      const statuses = await this.readStatuses(ids)
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
    const { jobs } = this.#calls.connection
    const { namespace } = this.#calls.identity
    const request = { namespace, jobId: job.id, view: JobView.JOB_VIEW_BASIC }
    const { job: record } = await this.#calls.callScheduler(jobs.getJob.bind(jobs), request)
    if (record?.progress !== undefined) job.applyProgress(progressFrom(record.progress))
  }

  /** Ends the stream and the poll; waits still going on are told. */
  close(): void {
    this.#closed = true
    const jobs = [...this.#jobs.values()]
    this.#stream.close()
    this.#poll.close()
    this.#jobs.clear()
    for (const job of jobs) job.lose(closedError())
  }
}

/** A large answer tells of the state alone: what has ended can be asked for again. */
function isEndLeftOut({ state, completion }: JobStatus): boolean {
  return isTerminal(state) && completion === undefined
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof OffstageError)) return false
  return error.retryable || error.reason === 'DEADLINE_EXCEEDED' || error.reason === 'INTERNAL'
}
