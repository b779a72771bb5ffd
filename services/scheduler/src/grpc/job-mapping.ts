/** Where jobs as the domain knows them become messages. */

import { durationFrom } from '@offstage/proto/durations'
import type * as proto from '@offstage/proto/jobs'
import { RETRY_DEFAULTS } from '@offstage/proto/retry-defaults'
import type { Explanation } from '../admission/explain.ts'
import { createRoom } from '../domain/answer-size.ts'
import { FOREGROUND } from '../domain/foreground.ts'
import type {
  Completion,
  Job,
  JobAttempt,
  JobMessage,
  JobStanding,
  Progress,
} from '../domain/job.ts'
import type { JobCount, JobDimension } from '../domain/job-query.ts'
import { requiredVersionOf, withoutVersion } from '../domain/pool.ts'
import { completionBytes } from '../domain/wire-size.ts'
import type { Started } from '../jobs/start-jobs.ts'
import { invalidField } from '../refusals.ts'
import type { WatchEvent } from '../waits/job-watch.ts'
import { deadlinesTo, payloadTo, retryTo } from './mapping.ts'

/** The end of a job is left out where the answer has no room for it: its state tells that it can be asked for. */
export function startedTo(started: Started, hasRoom = createRoom()): proto.StartedJob {
  if ('refusal' in started) throw started.refusal
  const { id, state, existing, standing } = started
  return { jobId: id, state, existing, completion: endTo(standing, hasRoom) }
}

const CAUSES: Readonly<Record<Explanation['cause'], proto.WaitCause>> = {
  none: 1,
  'not-due': 2,
  key: 3,
  limit: 4,
  'no-executor': 5,
  'no-fit': 10,
  lock: 11,
  'no-slot': 6,
  paused: 7,
  'exclusive-mode': 8,
  children: 9,
}

export function explanationTo(explanation: Explanation): proto.ExplainJobResponse {
  const { cause, text, holders, place, estimate, executors } = explanation
  return {
    cause: CAUSES[cause],
    text,
    holders: [...holders],
    ahead: place.ahead,
    aheadIsMinimum: place.isMinimum,
    startEstimate: estimate && {
      earliest: durationFrom(estimate.earliestMs),
      latest: durationFrom(estimate.latestMs),
    },
    executors: executors.map((executor) => ({ ...executor, pools: [...executor.pools] })),
  }
}

export function completionTo(completion: Completion | undefined): proto.Completion | undefined {
  if (completion === undefined) return undefined
  return {
    state: completion.state,
    result: payloadTo(completion.result),
    additionalResult: payloadTo(completion.additionalResult),
    error: completion.error,
    cancelOutcome: completion.cancelOutcome,
    finishTime: completion.finishTime,
    unreadable: completion.unreadable,
    payloadHidden: completion.payloadHidden,
  }
}

export function statusTo(
  jobId: string,
  standing: JobStanding | undefined,
  hasRoom: (bytes: number) => boolean,
): proto.JobStatus {
  return { jobId, state: standing?.state ?? 0, completion: endTo(standing, hasRoom) }
}

function endTo(
  standing: JobStanding | undefined,
  hasRoom: (bytes: number) => boolean,
): proto.Completion | undefined {
  const completion = standing?.completion
  return hasRoom(completionBytes(completion)) ? completionTo(completion) : undefined
}

export function progressTo(progress: Progress | undefined): proto.Progress | undefined {
  return progress && { ...progress, extra: progress.extra }
}

export function messageTo(message: JobMessage): proto.JobMessage {
  const { sequence, recordTime, severity, text, extra } = message
  return { sequence, recordTime, severity, text, extra }
}

export function watchEventTo(event: WatchEvent): proto.JobEvent {
  const { jobId, payloadHidden } = event
  return { jobId, event: eventTo(event), payloadHidden }
}

function eventTo(event: WatchEvent): proto.JobEvent['event'] {
  switch (event.kind) {
    case 'missing':
      return { $case: 'state', value: 0 }
    case 'state':
      return { $case: 'state', value: event.state }
    case 'progress':
      return { $case: 'progress', value: event.progress as proto.Progress }
    case 'message':
      return { $case: 'message', value: messageTo(event.message) }
    case 'completed':
      return { $case: 'completion', value: completionTo(event.completion) as proto.Completion }
  }
}

const DIMENSIONS: Readonly<Record<number, JobDimension>> = {
  1: 'state',
  2: 'method',
  3: 'createMinute',
}

export function dimensionsFrom(by: readonly proto.JobDimension[]): JobDimension[] {
  return by.map((value, index) => {
    const dimension = DIMENSIONS[value]
    if (dimension === undefined) throw invalidField(`by[${index}]`, 'is not a known value')
    if (by.indexOf(value) < index) throw invalidField(`by[${index}]`, 'is there twice')
    return dimension
  })
}

export function countTo({ state, method = '', createMinute, count }: JobCount): proto.JobCount {
  return { state: state ?? 0, method, createMinute, count: BigInt(count) }
}

/** Whether one of the jobs is enough; all of them where nothing is said. */
export function isAny(mode: proto.WaitMode): boolean {
  if (mode < 0 || mode > 2) throw invalidField('mode', 'is not a known value')
  return mode === 2
}

/** The view that is asked for; `view` unset: the call's own. */
export function viewFrom(view: proto.JobView, unset: 'basic' | 'full'): 'basic' | 'full' {
  if (view < 0 || view > 2) throw invalidField('view', 'is not a known value')
  return view === 0 ? unset : view === 1 ? 'basic' : 'full'
}

function attemptTo(attempt: JobAttempt): proto.JobAttempt {
  return {
    attempt: attempt.attempt,
    executorSessionId: attempt.sessionId,
    executorName: attempt.executorName,
    lane: attempt.lane,
    startTime: attempt.startTime,
    finishTime: attempt.finishTime,
    outcome: attempt.outcome,
    errorBrief: attempt.errorBrief,
    errorReason: attempt.errorReason,
  }
}

export function jobTo(job: Job, view: 'basic' | 'full'): proto.Job {
  const { options } = job
  const pool = options.foreground === undefined ? job.pool : (options.homePool ?? '')
  const basic = view === 'basic'
  const completion = completionTo(job.completion)
  if (basic && completion !== undefined) {
    completion.result = undefined
    completion.additionalResult = undefined
    if (completion.error !== undefined) completion.error = { ...completion.error, detail: '' }
  }
  return {
    jobId: job.id,
    namespace: job.namespace,
    method: job.method,
    state: job.state,
    revision: BigInt(job.revision),
    owner: job.owner,
    kind: job.kind,
    key: job.key,
    requestId: job.requestId,
    parentJobId: job.parentId,
    lane: job.lane,
    priority: job.priority,
    labels: { ...job.labels },
    displayName: options.displayName ?? job.method,
    requestedMethod: options.requestedMethod,
    attempt: job.attempt,
    crashCount: job.crashCount,
    retryPolicy: retryTo(options.retry ?? RETRY_DEFAULTS),
    deadlines: deadlinesTo(options),
    createTime: job.createTime,
    dueTime: job.dueTime,
    startTime: job.startTime,
    progress: progressTo(job.progress),
    completion,
    executorSessionId: job.sessionId,
    cancelRequested: job.cancelRequested,
    cancelReason: job.cancelReason,
    traceparent: job.traceparent,
    lastError: basic ? undefined : job.lastError,
    errorBrief: (job.completion?.error ?? job.lastError)?.brief ?? '',
    rootJobId: job.rootId,
    params: basic ? undefined : payloadTo(job.params),
    attempts: basic ? [] : (job.attempts ?? []).map(attemptTo),
    pool: withoutVersion(pool),
    requiredVersion: requiredVersionOf(pool),
    mode: options.foreground && FOREGROUND[options.foreground],
    unreadable: job.unreadable,
    payloadHidden: job.payloadHidden,
    privileged: options.privileged,
    pinned: job.pinned || undefined,
    attached: job.isAttached || undefined,
    heartbeatData: basic ? undefined : payloadTo(job.heartbeatData),
  }
}
