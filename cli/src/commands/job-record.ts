import {
  CancelOutcome,
  type Completion,
  type Deadlines,
  ExecutionMode,
  type Job,
  type JobAttempt,
  JobKind,
  type JobMessage,
  JobState,
  Lane,
  MessageSeverity,
  type RetryPolicy,
} from '@offstage/proto/jobs'
import type { Duration } from '@offstage/proto/rpc'
import { valueFrom } from './payload-record.ts'

export type JobRecord = ReturnType<typeof recordFrom>
export type MessageRecord = ReturnType<typeof messageRecordFrom>

/**
 * A job as the command line shows it: every field of `Job` in proto/offstage/jobs/v1/job.proto under its own name (but
 * `id`), in words where it has numbers. What is not set is left out, but for texts, which are empty.
 */
export function recordFrom({ jobId, completion, ...job }: Job) {
  return {
    id: jobId,
    ...job,
    state: wordOf(JobState, job.state),
    kind: wordOf(JobKind, job.kind),
    lane: wordOf(Lane, job.lane),
    mode: job.mode && wordOf(ExecutionMode, job.mode),
    retryPolicy: job.retryPolicy && retryFrom(job.retryPolicy),
    deadlines: job.deadlines && deadlinesFrom(job.deadlines),
    completion: completion && completionFrom(completion),
    params: valueFrom(job.params),
    heartbeatData: valueFrom(job.heartbeatData),
    attempts: job.attempts.map(attemptFrom),
    /** What to look for in the tracing system; within `traceparent`. */
    traceId: job.traceparent.split('-')[1] ?? '',
  }
}

/** A message of a job, in the same manner. */
export function messageRecordFrom({ severity, ...message }: JobMessage) {
  return { ...message, severity: wordOf(MessageSeverity, severity) }
}

function attemptFrom({ lane, outcome, ...attempt }: JobAttempt) {
  return { ...attempt, lane: wordOf(Lane, lane), outcome: wordOf(JobState, outcome) }
}

function completionFrom(completion: Completion) {
  return {
    ...completion,
    state: wordOf(JobState, completion.state),
    cancelOutcome: wordOf(CancelOutcome, completion.cancelOutcome),
    result: valueFrom(completion.result),
    additionalResult: valueFrom(completion.additionalResult),
  }
}

function retryFrom(policy: RetryPolicy) {
  const { initialBackoff, maxBackoff } = policy
  return { ...policy, initialBackoff: spanOf(initialBackoff), maxBackoff: spanOf(maxBackoff) }
}

function deadlinesFrom({ queue, attempt, total, heartbeat }: Deadlines) {
  return {
    queue: spanOf(queue),
    attempt: spanOf(attempt),
    total: spanOf(total),
    heartbeat: spanOf(heartbeat),
  }
}

/** `NEVER_STARTED` of CancelOutcome as `never-started`; undefined for what is not set. */
function wordOf(values: Readonly<Record<string, number>>, value: number): string | undefined {
  const names = Object.keys(values)
  const name = names.find((each) => values[each] === value)
  const [unset = ''] = names
  const prefix = unset.slice(0, -'UNSPECIFIED'.length)
  if (name === undefined || name === unset) return undefined
  return name.slice(prefix.length).toLowerCase().replaceAll('_', '-')
}

/** `1.5s`, as protobuf writes a duration in JSON. */
function spanOf(duration: Duration | undefined): string | undefined {
  return duration && `${Number(duration.seconds) + duration.nanos / 1e9}s`
}
