/** Where proto types and domain types of jobs meet. */
import { type Caller, Refusal } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import type { Duration } from '@offstage/proto/rpc'
import type {
  CancelOutcome,
  Completion,
  Job,
  JobError,
  JobMessage,
  JobStanding,
  Progress,
} from '../domain/job.ts'
import type { RetryPolicy } from '../domain/retry-policy.ts'
import { DEFAULT_RETRY_POLICY } from '../domain/retry-policy.ts'
import {
  isNamespace,
  type KeyConflict,
  type Payload,
  type StartCommand,
  type StartOptions,
} from '../domain/start-command.ts'
import type { Started } from '../jobs/start-jobs.ts'
import type { JobFilter } from '../ports.ts'
import { invalidField, notImplemented } from '../refusals.ts'
import type { WatchEvent } from '../waits/job-watch.ts'

export function namespaceFrom(namespace: string): string {
  if (namespace === '') return 'default'
  if (isNamespace(namespace)) return namespace
  throw invalidField('namespace', 'must be 1 to 63 letters, digits, "_" and "-"')
}

export function msFrom(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1_000 + duration.nanos / 1e6
}

export function durationFrom(ms: number | undefined): Duration | undefined {
  if (ms === undefined) return undefined
  const seconds = Math.trunc(ms / 1_000)
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) }
}

/** A duration within limits, or the default when absent. */
export function boundedMs(
  field: string,
  duration: Duration | undefined,
  fallback: number,
  max: number,
): number {
  const ms = msFrom(duration) ?? fallback
  if (ms >= 0 && ms <= max) return ms
  throw invalidField(field, `must be within 0 and ${max / 1_000} s`)
}

export function payloadFrom(payload: proto.Payload | undefined): Payload | undefined {
  const source = payload?.source
  if (payload === undefined || source === undefined) return undefined
  const type = payload.contentType === 'application/json' ? '' : payload.contentType
  if (source.$case === 'address') return { address: source.value, type }
  return { inline: source.value, type }
}

export function payloadTo(payload: Payload | undefined): proto.Payload | undefined {
  if (payload === undefined) return undefined
  const { inline, address, type } = payload
  if (address !== undefined) {
    return { source: { $case: 'address', value: address }, contentType: type }
  }
  if (inline === undefined) return { source: undefined, contentType: type }
  return { source: { $case: 'inline', value: bufferOf(inline) }, contentType: type }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const KEY_CONFLICTS: Readonly<Record<number, KeyConflict>> = {
  0: 'refuse',
  1: 'refuse',
  2: 'return-running',
  3: 'queue-behind',
}

/** Who starts jobs, where, and within which trace. */
export interface StartOrigin {
  readonly namespace: string
  readonly caller: Caller
  readonly traceparent: string
  readonly tracestate: string
}

export function startCommandFrom(spec: proto.JobSpec, origin: StartOrigin): StartCommand {
  refuseUnsupported(spec)
  const keyConflict = KEY_CONFLICTS[spec.keyConflictPolicy]
  if (keyConflict === undefined) throw invalidField('key_conflict_policy', 'is not a known value')
  if (spec.kind > 1)
    throw invalidField('kind', 'must be PROGRAM: the other kinds are Offstage’s own')
  if (spec.lane < 0 || spec.lane > 3) throw invalidField('lane', 'is not a known value')
  refuseNul(spec)
  return {
    namespace: origin.namespace,
    owner: origin.caller.user,
    method: spec.method,
    params: payloadFrom(spec.params) ?? EMPTY_PARAMS,
    kind: 1,
    lane: spec.lane,
    priority: spec.priority,
    key: spec.key,
    keyConflict,
    requestId: spec.requestId,
    parentId: spec.parentJobId,
    labels: hasEntries(spec.labels) ? spec.labels : undefined,
    startTime: spec.startTime,
    delayMs: msFrom(spec.delay) ?? 0,
    traceparent: spec.traceparent || origin.traceparent,
    options: startOptionsFrom(spec, origin.tracestate),
  }
}

const EMPTY_PARAMS: Payload = { type: '' }

function hasEntries(labels: Record<string, string>): boolean {
  for (const _ in labels) return true
  return false
}

/** What a newer caller may ask for and this scheduler cannot do is refused, never passed over. */
function refuseUnsupported(spec: proto.JobSpec): void {
  if (spec.fallbackMethod !== '') throw notImplemented('fallback_method')
  if (spec.executorSessionId !== '') throw notImplemented('executor_session_id')
  if (spec.deadlines?.total !== undefined) throw notImplemented('deadlines.total')
  if (spec.deadlines?.heartbeat !== undefined) throw notImplemented('deadlines.heartbeat')
}

const TEXTS = [
  ['key', 'key'],
  ['request_id', 'requestId'],
  ['scope', 'scope'],
  ['result_address', 'resultAddress'],
  ['additional_result_address', 'additionalResultAddress'],
  ['display_name', 'displayName'],
  ['traceparent', 'traceparent'],
  ['tracestate', 'tracestate'],
] as const

/** PostgreSQL texts hold every character but this one. */
function refuseNul(spec: proto.JobSpec): void {
  for (const [field, name] of TEXTS) refuseNulIn(field, spec[name])
  for (const key in spec.labels) refuseNulIn('labels', `${key}${spec.labels[key]}`)
}

function refuseNulIn(field: string, text: string): void {
  if (text.includes('\0')) throw invalidField(field, 'must not contain a NUL character')
}

/** Undefined when nothing is asked for, which keeps the hot path free of it. */
function startOptionsFrom(spec: proto.JobSpec, tracestate: string): StartOptions | undefined {
  const state = spec.tracestate || tracestate
  const plain =
    spec.displayName === '' &&
    spec.scope === '' &&
    spec.resultAddress === '' &&
    !spec.wantAdditionalResult &&
    spec.additionalResultAddress === '' &&
    !spec.cancelWithParent &&
    spec.retryPolicy === undefined &&
    spec.deadlines === undefined &&
    state === ''
  if (plain) return undefined
  return {
    displayName: spec.displayName || undefined,
    scope: spec.scope || undefined,
    resultAddress: spec.resultAddress || undefined,
    wantAdditionalResult: spec.wantAdditionalResult || undefined,
    additionalResultAddress: spec.additionalResultAddress || undefined,
    cancelWithParent: spec.cancelWithParent || undefined,
    retry: retryFrom(spec.retryPolicy),
    attemptDeadlineMs: msFrom(spec.deadlines?.attempt),
    queueDeadlineMs: msFrom(spec.deadlines?.queue),
    tracestate: state || undefined,
  }
}

/** Proto3 has no absent numbers: 0 stands for the default. */
export function retryFrom(policy: proto.RetryPolicy | undefined): RetryPolicy | undefined {
  if (policy === undefined) return undefined
  const defaults = DEFAULT_RETRY_POLICY
  return {
    maxAttempts: policy.maxAttempts || defaults.maxAttempts,
    initialBackoffMs: msFrom(policy.initialBackoff) ?? defaults.initialBackoffMs,
    backoffMultiplier: policy.backoffMultiplier || defaults.backoffMultiplier,
    backoffMsMax: msFrom(policy.maxBackoff) ?? defaults.backoffMsMax,
    jitter: policy.jitter || defaults.jitter,
  }
}

function retryTo(policy: RetryPolicy | undefined): proto.RetryPolicy | undefined {
  return (
    policy && {
      maxAttempts: policy.maxAttempts,
      initialBackoff: durationFrom(policy.initialBackoffMs),
      backoffMultiplier: policy.backoffMultiplier,
      maxBackoff: durationFrom(policy.backoffMsMax),
      jitter: policy.jitter,
    }
  )
}

export function startedTo(started: Started): proto.StartedJob {
  if ('refusal' in started) throw started.refusal
  const { id, state, existing, standing } = started
  return { jobId: id, state, existing, completion: completionTo(standing?.completion) }
}

const OUTCOMES: Readonly<Record<CancelOutcome, proto.CancelOutcome>> = {
  unknown: 0,
  'never-started': 1,
  stopped: 2,
  'finished-anyway': 3,
}

export function cancelOutcomeTo(outcome: CancelOutcome): proto.CancelOutcome {
  return OUTCOMES[outcome]
}

export function completionTo(completion: Completion | undefined): proto.Completion | undefined {
  if (completion === undefined) return undefined
  return {
    state: completion.state,
    result: payloadTo(completion.result),
    additionalResult: payloadTo(completion.additionalResult),
    error: completion.error,
    cancelOutcome: OUTCOMES[completion.cancelOutcome],
    finishTime: completion.finishTime,
  }
}

export function statusTo(jobId: string, standing: JobStanding | undefined): proto.JobStatus {
  return {
    jobId,
    state: standing?.state ?? 0,
    completion: completionTo(standing?.completion),
  }
}

export function progressTo(progress: Progress | undefined): proto.Progress | undefined {
  return progress && { ...progress, extra: progress.extra }
}

export function messageTo(message: JobMessage): proto.JobMessage {
  const { sequence, recordTime, text, extra } = message
  const severity = message.severity as proto.MessageSeverity
  return { sequence, recordTime, severity, text, extra }
}

export function watchEventTo(event: WatchEvent): proto.JobEvent {
  const { jobId } = event
  switch (event.kind) {
    case 'missing':
      return { jobId, event: { $case: 'state', value: 0 } }
    case 'state':
      return { jobId, event: { $case: 'state', value: event.state } }
    case 'progress':
      return { jobId, event: { $case: 'progress', value: event.progress as proto.Progress } }
    case 'message':
      return { jobId, event: { $case: 'message', value: messageTo(event.message) } }
    case 'completed': {
      const value = completionTo(event.completion) as proto.Completion
      return { jobId, event: { $case: 'completion', value } }
    }
  }
}

export function filterFrom(filter: proto.JobFilter | undefined): JobFilter {
  return {
    states: filter?.states ?? [],
    methods: filter?.methods ?? [],
    key: filter?.key ?? '',
    owner: filter?.owner ?? '',
    kinds: filter?.kinds ?? [],
    parentId: filter?.parentJobId ?? '',
    labels: filter?.labels ?? {},
    createdFrom: filter?.createdFrom,
    createdBefore: filter?.createdBefore,
  }
}

export function pageSizeFrom(size: number, fallback: number): number {
  if (size === 0) return fallback
  if (size > 0 && size <= 1_000) return size
  throw new Refusal({
    reason: 'INVALID_FIELD',
    message: `page_size ${size} is not within 1 and 1000`,
    violations: [{ field: 'page_size', description: 'must be within 1 and 1000' }],
  })
}

function errorTo(error: JobError | undefined): proto.JobError | undefined {
  return error
}

/** Listings leave out results and error details. */
export function jobTo(job: Job, { brief }: { brief: boolean }): proto.Job {
  const { options } = job
  const completion = completionTo(job.completion)
  if (brief && completion !== undefined) {
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
    kind: job.kind as proto.JobKind,
    key: job.key,
    requestId: job.requestId,
    parentJobId: job.parentId,
    lane: job.lane as proto.Lane,
    priority: job.priority,
    labels: { ...job.labels },
    displayName: options.displayName ?? job.method,
    attempt: job.attempt,
    crashCount: job.crashCount,
    retryPolicy: retryTo(options.retry ?? DEFAULT_RETRY_POLICY),
    deadlines: {
      queue: durationFrom(options.queueDeadlineMs),
      attempt: durationFrom(options.attemptDeadlineMs),
      total: undefined,
      heartbeat: undefined,
    },
    createTime: job.createTime,
    dueTime: job.dueTime,
    startTime: job.startTime,
    progress: progressTo(job.progress),
    completion,
    executorSessionId: job.attachmentId,
    cancelRequested: job.cancelRequested,
    traceparent: job.traceparent,
    lastError: brief ? undefined : errorTo(job.lastError),
  }
}
