/** Canceling, starting anew and deleting all jobs that a filter selects (row J25): each a job of its own. */
import { durationFrom } from '@offstage/proto/durations'
import type { StartedJob, JobSelection as WireSelection } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal, flag } from '../arguments/rules.ts'
import { CALL_MS_MAX, REPEAT_START_MS_MAX } from './call-terms.ts'
import { JobHandle } from './job-handle.ts'
import { filterFrom, type JobFilter } from './job-info.ts'
import { inlineWaitMs, millisWithin, requiredVersion, textUpTo } from './limit-rules.ts'
import type { Session } from './session.ts'

/** What became of the jobs that were selected. */
export interface BulkResult {
  /** Those that were met. */
  readonly matched: number
  readonly done: number
  /** How many were left as they were, by the reason: `JOB_KEY_TAKEN`, `METHOD_NOT_STARTABLE`, `JOB_NOT_RETRYABLE`, `PINNED`. */
  readonly skipped: Readonly<Record<string, number>>
}

/** The jobs that are selected just now. */
export interface JobSelection {
  /** Counted up to 1,000,000. */
  readonly count: number
  /** Whether there are more than were counted. */
  readonly isMore: boolean
  /** The newest 10 of them. */
  readonly sampleIds: readonly string[]
}

export interface BulkOptions {
  /** All jobs of the namespace are meant that the caller may change: what an empty filter does not say. Default false. */
  readonly all?: boolean
  /** Do nothing, and tell which jobs it would be. Default false. */
  readonly validateOnly?: boolean
  /** As of a start. Default: a new one. */
  readonly requestId?: string
  /** Wait so long for the end before answering, 0 to 60,000 ms. Default 0. */
  readonly inlineWaitMs?: number
  readonly signal?: AbortSignal
}

export interface CancelJobsOptions extends BulkOptions {
  /** Why, for the record and the handlers, at most 1,000 characters. */
  readonly reason?: string
  /** How long each handler may take before it is ended by force, 0 to 3,600,000 ms. Default 10,000. */
  readonly graceMs?: number
}

export interface RetryJobsOptions extends BulkOptions {
  /**
   * The version of its method that each of them requires from now on, whichever the method; empty: none. Default: each the one it has required
   * before.
   */
  readonly requiredVersion?: string
}

const BULK_RULES: Rules<BulkOptions> = {
  all: flag,
  validateOnly: flag,
  requestId: textUpTo(LIMITS.requestIdCharactersMax),
  inlineWaitMs,
  signal: abortSignal,
}
const CANCEL_JOBS_RULES: Rules<CancelJobsOptions> = {
  ...BULK_RULES,
  reason: textUpTo(LIMITS.cancelReasonCharactersMax),
  graceMs: millisWithin(0, LIMITS.graceMsMax),
}
const RETRY_JOBS_RULES: Rules<RetryJobsOptions> = { ...BULK_RULES, requiredVersion }

/** The jobs it would be for `validateOnly`, else the handle of the job that does it. */
export type BulkAnswer<O extends BulkOptions> = O extends { readonly validateOnly: true }
  ? JobSelection
  : JobHandle<BulkResult>

type Outcome = JobHandle<BulkResult> | JobSelection

interface Answer {
  readonly job?: StartedJob | undefined
  readonly selection?: WireSelection | undefined
}

export function cancelJobs(
  session: Session,
  filter: JobFilter,
  options: CancelJobsOptions,
): Promise<Outcome> {
  checkOptions('cancelJobs', options, CANCEL_JOBS_RULES)
  const { reason = '', graceMs } = options
  const { jobs } = session.connection
  const request = { ...requestFrom(session, filter, options), reason, grace: durationFrom(graceMs) }
  const call = session.callScheduler(jobs.cancelJobs.bind(jobs), request, termsOf(options))
  return outcomeOf(session, 'offstage.cancel_jobs', call)
}

export function retryJobs(
  session: Session,
  filter: JobFilter,
  options: RetryJobsOptions,
): Promise<Outcome> {
  checkOptions('retryJobs', options, RETRY_JOBS_RULES)
  const { jobs } = session.connection
  const request = {
    ...requestFrom(session, filter, options),
    requiredVersion: options.requiredVersion,
  }
  const call = session.callScheduler(jobs.retryJobs.bind(jobs), request, termsOf(options))
  return outcomeOf(session, 'offstage.retry_jobs', call)
}

export function deleteJobs(
  session: Session,
  filter: JobFilter,
  options: BulkOptions,
): Promise<Outcome> {
  checkOptions('deleteJobs', options, BULK_RULES)
  const { jobs } = session.connection
  const request = requestFrom(session, filter, options)
  const call = session.callScheduler(jobs.deleteJobs.bind(jobs), request, termsOf(options))
  return outcomeOf(session, 'offstage.delete_jobs', call)
}

function requestFrom(session: Session, filter: JobFilter, options: BulkOptions) {
  const { all = false, validateOnly = false, inlineWaitMs: waitMs = 0 } = options
  return {
    namespace: session.identity.namespace,
    filter: filterFrom(filter),
    all,
    validateOnly,
    requestId: options.requestId ?? session.nextRequestId(),
    inlineWait: waitMs > 0 ? durationFrom(waitMs) : undefined,
  }
}

/** Repeated as a start is, by its request id. */
function termsOf({ signal, inlineWaitMs: waitMs = 0 }: BulkOptions) {
  return { signal, deadlineMs: CALL_MS_MAX + waitMs, repeatMsMax: REPEAT_START_MS_MAX }
}

async function outcomeOf(
  session: Session,
  method: string,
  call: Promise<Answer>,
): Promise<Outcome> {
  const { job, selection } = await call
  if (job !== undefined) {
    return new JobHandle<BulkResult>(session, job.jobId, method, job.state, job.completion)
  }
  if (selection === undefined) throw new Error('the scheduler answered without a job')
  const { count, more, sampleJobIds } = selection
  return { count: Number(count), isMore: more, sampleIds: sampleJobIds }
}
