/**
 * The ends of attempts: results come in, are recorded in batches, and everybody who waits is told.
 *
 * Invariants:
 *  1. A result is acknowledged to the executor only after its commit; one that changed nothing is answered by a fence.
 *  2. A result that meets a database that is away is kept and tried again until the attachment is gone; then the executor, which
 *     has not been acknowledged, sends it again on its next stream. Credits bound how many can wait (guarantee 6).
 *  3. A result the database refuses ends its own job as failed, and holds up no other.
 *  4. Of an attempt's end the first word counts: what is said of it while that is being recorded is dropped, so nobody is told
 *     another result than the one that was recorded.
 */

import { sqlStateOf } from '@offstage/kit/database'
import { RETRY_DEFAULTS } from '@offstage/proto/retry-defaults'
import type { AttemptResult } from '../domain/attempt-result.ts'
import type {
  AttemptEnd,
  AttemptKey,
  AttemptSuccess,
  ChangedJob,
  RunningJob,
  SucceededAttempt,
  UnreadableJob,
} from '../domain/held-job.ts'
import type { JobError } from '../domain/job.ts'
import { JobState } from '../domain/job-state.ts'
import { backoffMs } from '../domain/retry-policy.ts'
import type { Attachment } from '../executors/attachment.ts'
import type { EndStore } from '../ports/attempts.ts'
import { overloaded } from '../refusals.ts'
import { createBatcher } from '../statements/batcher.ts'
import { isDataError, persist } from '../statements/persist.ts'
import { checkedResult } from './check-result.ts'

export interface EndsOptions {
  readonly store: EndStore
  /** Told of every job whose state a write changed. */
  changed(jobs: readonly ChangedJob[]): void
  onError(error: unknown): void
}

export interface Ends {
  /** Records results of one executor; settles when they are recorded or the attachment is gone. */
  record(attachment: Attachment, results: readonly AttemptResult[]): Promise<void>
  /** Puts attempts back into the queue at no charge, however long the database takes. */
  requeue(attempts: readonly AttemptKey[]): Promise<void>
  /** Fails jobs nobody here could run, however long the database takes. */
  failUnreadable(jobs: readonly UnreadableJob[]): Promise<void>
}

interface Pending {
  readonly key: AttemptKey
  readonly job: RunningJob
}

export function createEnds({ store, changed, onError }: EndsOptions): Ends {
  const overflow = () => overloaded('results')
  const limits = { maxItems: 1_000, maxQueued: 1_000_000, overflow, isDataError }
  const successes = createBatcher<AttemptSuccess & Pending, ChangedJob | undefined>({
    ...limits,
    concurrency: 2,
    async run(items) {
      const completions = await store.succeed(items)
      return items.map(({ job }) => {
        const completion = completions.get(job.id)
        return completion && changedJob(job, completion)
      })
    },
  })
  const others = createBatcher<AttemptEnd & Pending, ChangedJob | undefined>({
    ...limits,
    async run(items) {
      const ended = new Map((await store.end(items)).map((job) => [job.id, job]))
      return items.map(({ jobId }) => ended.get(jobId))
    },
  })

  /** Returns those that nothing was recorded of. */
  const settle = <T extends Pending>(
    attachment: Attachment,
    pending: readonly T[],
    ended: Ended,
  ): T[] => {
    const done: ChangedJob[] = []
    const left: T[] = []
    for (const [index, item] of pending.entries()) {
      const job = ended[index]
      if (job === undefined) left.push(item)
      else {
        attachment.end(item.key)
        attachment.acknowledge(item.key)
        done.push(job)
      }
    }
    changed(done)
    return left
  }

  const recordAll = async <T extends Pending>(
    attachment: Attachment,
    items: readonly T[],
    add: (items: readonly T[]) => Promise<Ended>,
    otherwise: (item: T) => (AttemptEnd & Pending) | undefined,
  ): Promise<void> => {
    const [first] = items
    if (first === undefined) return
    const ended = await persist(
      () => add(items),
      () => !attachment.attached,
      onError,
    )
    if (ended.kind === 'done') {
      const again: (AttemptEnd & Pending)[] = []
      for (const item of settle(attachment, items, ended.value)) {
        const other = otherwise(item)
        if (other === undefined) attachment.fence(item.key)
        else again.push(other)
      }
      if (again.length > 0) await recordAll(attachment, again, others.add, fenced)
    }
    if (ended.kind !== 'refused') return
    if (items.length > 1) {
      await Promise.all(items.map((item) => recordAll(attachment, [item], add, otherwise)))
    } else if (!isUnrecordable(first)) {
      await recordAll(attachment, [unrecordable(first, ended.error)], others.add, fenced)
    }
  }

  return {
    async record(attachment, results) {
      const { ending } = attachment
      const plain: (AttemptSuccess & Pending)[] = []
      const rest: (AttemptEnd & Pending)[] = []
      for (const given of results) {
        const job = attachment.running.get(given.jobId)
        if (job === undefined || job.attempt !== given.attempt) {
          attachment.fence(given)
          continue
        }
        if (ending.has(job)) continue
        ending.add(job)
        const result = checkedResult(job, given)
        if (isPlain(result)) plain.push(plainSuccess(attachment, job, result))
        else rest.push(attemptEnd(attachment, job, result))
      }
      try {
        await Promise.all([
          recordAll(attachment, plain, successes.add, endOfParent),
          recordAll(attachment, rest, others.add, fenced),
        ])
      } finally {
        for (const { job } of plain) ending.delete(job)
        for (const { job } of rest) ending.delete(job)
      }
    },
    async requeue(attempts) {
      // A drain may hand back all that waits for children, however many those are.
      for (let from = 0; from < attempts.length; from += limits.maxItems) {
        const some = attempts.slice(from, from + limits.maxItems)
        const queued = await persist(
          () => store.requeue(some),
          () => false,
          onError,
        )
        if (queued.kind === 'done') changed(queued.value)
      }
    },
    async failUnreadable(jobs) {
      if (jobs.length === 0) return
      for (const { jobId, fault } of jobs) onError(new Error(`job ${jobId} fails: ${fault}`))
      const failed = await persist(
        () => store.end(jobs.map(unreadable)),
        () => false,
        onError,
      )
      if (failed.kind === 'done') changed(failed.value)
    },
  }
}

type Ended = readonly (ChangedJob | undefined)[]

/** Whether the hot statement can record it: success, nothing but a small JSON result. */
function isPlain({ outcome, additionalResult }: AttemptResult): boolean {
  if (outcome.kind !== 'succeeded' || additionalResult !== undefined) return false
  const { result } = outcome
  return result === undefined || (result.inline !== undefined && result.type === '')
}

function keyOf(attachment: Attachment, job: RunningJob): AttemptKey {
  return { jobId: job.id, attachmentId: attachment.id, attempt: job.attempt }
}

function plainSuccess(attachment: Attachment, job: RunningJob, { outcome }: AttemptResult) {
  const key = keyOf(attachment, job)
  const result = outcome.kind === 'succeeded' ? outcome.result?.inline : undefined
  return { ...key, key, job, result }
}

/** Nothing else is to be tried with it. */
const fenced = () => undefined

/** Of one that the hot statement has left out: it has had attached children, or is fenced. */
function endOfParent({ key, job, result }: AttemptSuccess & Pending): AttemptEnd & Pending {
  const payload = result && { inline: result, type: '' }
  const nothing = { additionalResult: undefined, error: undefined, backoffMs: 0 }
  return { ...key, key, job, ...nothing, state: JobState.succeeded, result: payload }
}

function attemptEnd(attachment: Attachment, job: RunningJob, result: AttemptResult) {
  const key = keyOf(attachment, job)
  const { outcome, additionalResult } = result
  const end = {
    ...key,
    key,
    job,
    result: undefined,
    additionalResult,
    error: undefined,
    backoffMs: 0,
  }
  if (outcome.kind === 'succeeded') {
    return { ...end, state: JobState.succeeded, result: outcome.result }
  }
  if (outcome.kind === 'canceled') {
    const { how, neverStarted } = outcome
    return { ...end, state: JobState.canceled, neverStarted, error: stopped(how) }
  }
  const policy = job.options?.retry ?? RETRY_DEFAULTS
  const pause = outcome.error.retryable
    ? backoffMs(policy, job.failures + 1, Math.random())
    : undefined
  if (pause === undefined) return { ...end, state: JobState.failed, error: outcome.error }
  return { ...end, state: JobState.scheduled, error: outcome.error, backoffMs: pause }
}

/** Told of the attempt; a job that was canceled has no error. */
function stopped(how: string): JobError | undefined {
  return how === '' ? undefined : { brief: how, detail: '', reason: 'CANCELED', retryable: false }
}

const UNRECORDABLE = 'RESULT_NOT_RECORDED'

/** The end of a job whose result the database refuses (invariant 3): nothing in it is the executor's. */
function unrecordable({ key, job }: Pending, cause: unknown): AttemptEnd & Pending {
  const error = {
    brief: 'The job has ended, but its result could not be recorded.',
    detail: `The database refused it (${sqlStateOf(cause) ?? 'no SQLSTATE'}); the log of the scheduler has the cause.`,
    reason: UNRECORDABLE,
    retryable: false,
  }
  const nothing = { result: undefined, additionalResult: undefined, backoffMs: 0 }
  return { ...key, key, job, ...nothing, state: JobState.failed, error }
}

/** To run it by what can be read of it, or to try again and again, would both be worse. */
function unreadable({ fault, ...key }: UnreadableJob): AttemptEnd {
  const error = {
    brief: 'The job could not be read, so it was not run.',
    detail: `Job ${key.jobId}: ${fault}.`,
    reason: 'JOB_UNREADABLE',
    retryable: false,
  }
  const nothing = { result: undefined, additionalResult: undefined, backoffMs: 0 }
  return { ...key, ...nothing, state: JobState.failed, error }
}

function isUnrecordable(item: object): boolean {
  return 'error' in item && (item.error as JobError | undefined)?.reason === UNRECORDABLE
}

function changedJob(job: RunningJob, completion: SucceededAttempt): ChangedJob {
  const { id, namespace, owner, method, key, traceparent } = job
  const { state, attachedTo } = completion
  return { id, namespace, owner, method, key, traceparent, state, completion, attachedTo }
}
