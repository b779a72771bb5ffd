import {
  CancelOutcome,
  type Completion,
  type Deadlines,
  type Job,
  JobKind,
  JobState,
  Lane,
  type Payload,
  type RetryPolicy,
} from '@offstage/proto/jobs'
import type { Duration } from '@offstage/proto/rpc'
import { decodeValue } from '@offstage/sdk/jobs'

export type JobRecord = ReturnType<typeof recordFrom>

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
    retryPolicy: job.retryPolicy && retryFrom(job.retryPolicy),
    deadlines: job.deadlines && deadlinesFrom(job.deadlines),
    completion: completion && completionFrom(completion),
    /** What to look for in the tracing system; within `traceparent`. */
    traceId: job.traceparent.split('-')[1] ?? '',
  }
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

/** A value that came along; `{ address }` where it is in temp storage, `{ base64 }` where it is bytes. */
function valueFrom(payload: Payload | undefined): unknown {
  if (payload?.source === undefined) return undefined
  const { source, contentType } = payload
  if (source.$case === 'address') return { address: source.value, contentType }
  const value = decodeValue(source.value, contentType)
  if (!(value instanceof Uint8Array)) return value
  return { base64: Buffer.from(value).toString('base64'), contentType }
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
