/** The only place where messages of the executor protocol and domain types meet. */

import { isUtf8 } from 'node:buffer'
import { msFrom } from '@offstage/proto/durations'
import type {
  Assignment,
  AttemptRef as AttemptRefMessage,
  AttemptResult,
  MessageReport,
  MethodDefinition,
  ProgressReport,
} from '@offstage/proto/executor'
import { isJsonType } from '@offstage/proto/field-rules'
import { type JobError, MessageSeverity, type Payload } from '@offstage/proto/jobs'
import { LANE_DEFAULT, laneNameOf } from '@offstage/proto/lanes'
import type { Duration } from '@offstage/proto/rpc'
import {
  BYTES_TYPE,
  childrenPolicyFrom,
  deadlinesFrom,
  isTextType,
  jobLimitFrom,
  laneFrom,
  retryPolicyFrom,
  startersFrom,
} from '@offstage/sdk/jobs'
import {
  type AttemptOrder,
  type AttemptOutcome,
  type AttemptRef,
  attemptKey,
  type Fault,
  type HeartbeatData,
  type MessageNote,
  type ProgressNote,
  type ResultValue,
} from '../domain/attempt.ts'
import type { MethodAnnouncement } from '../domain/method.ts'

/** A field of an order without its place in an assignment does not compile. */
export function orderFromAssignment(
  assignment: Assignment,
): AttemptOrder & Record<keyof AttemptOrder, unknown> {
  const { jobId, attempt, method, namespace } = assignment
  const { attemptDeadline, totalDeadline, heartbeatDeadline } = assignment
  return {
    key: attemptKey(assignment),
    jobId,
    attempt,
    method,
    lane: laneNameOf(assignment.lane) ?? LANE_DEFAULT,
    namespace,
    owner: assignment.owner || undefined,
    params: paramsFromPayload(assignment.params),
    traceparent: assignment.traceparent || undefined,
    tracestate: assignment.tracestate || undefined,
    token: assignment.token || undefined,
    scope: assignment.scope || undefined,
    jobKey: assignment.key || undefined,
    labels: hasEntries(assignment.labels) ? assignment.labels : undefined,
    resultAddress: assignment.resultAddress || undefined,
    wantAdditionalResult: assignment.wantAdditionalResult || undefined,
    additionalResultAddress: assignment.additionalResultAddress || undefined,
    deadlineMs: wholeMsFrom(attemptDeadline),
    totalMs: wholeMsFrom(totalDeadline),
    heartbeatMs: wholeMsFrom(heartbeatDeadline),
    lastHeartbeat: inlineFromPayload(assignment.heartbeatData),
    paramsType: bytesTypeOf(assignment.params),
    lastHeartbeatType: bytesTypeOf(assignment.heartbeatData),
    requestedMethod: assignment.requestedMethod || undefined,
    displayName: assignment.displayName || undefined,
    parentJobId: assignment.parentJobId || undefined,
  }
}

function wholeMsFrom(duration: Duration | undefined): number | undefined {
  return duration && Math.round(msFrom(duration))
}

function hasEntries(labels: Record<string, string>): boolean {
  for (const _ in labels) return true
  return false
}

function paramsFromPayload(payload: Payload | undefined): AttemptOrder['params'] {
  const source = payload?.source
  if (payload === undefined || source === undefined) return undefined
  if (source.$case === 'address') return { address: source.value, contentType: payload.contentType }
  return inlineFromPayload(payload)
}

/** Of what crosses to the thread as bytes. */
function bytesTypeOf(payload: Payload | undefined): string | undefined {
  const source = payload?.source
  if (payload === undefined || source?.$case !== 'inline') return undefined
  const type = payload.contentType
  if (isTextType(type)) return undefined
  return isJsonType(type) && isUtf8(source.value) ? undefined : type
}

function inlineFromPayload(payload: Payload | undefined): string | Uint8Array | undefined {
  const source = payload?.source
  if (payload === undefined || source?.$case !== 'inline') return undefined
  // Else the thread refuses it by its type.
  if (isJsonType(payload.contentType) && isUtf8(source.value)) return source.value.toString('utf8')
  // To a thread all texts are JSON.
  if (isTextType(payload.contentType)) return JSON.stringify(source.value.toString('utf8'))
  // A copy of its own: a view would drag the whole received frame along to the thread.
  return new Uint8Array(source.value)
}

export function attemptResult(ref: AttemptRef, outcome: AttemptOutcome): AttemptResult {
  const { jobId, attempt } = ref
  switch (outcome.kind) {
    case 'succeeded':
      return {
        jobId,
        attempt,
        outcome: { $case: 'succeeded', value: payloadFromValue(outcome.result) },
        additionalResult: optionalPayload(outcome.additional),
        neverStarted: false,
      }
    case 'failed':
      return {
        jobId,
        attempt,
        outcome: { $case: 'failed', value: jobErrorFromFault(outcome.fault) },
        additionalResult: optionalPayload(outcome.additional),
        neverStarted: false,
      }
    case 'canceled':
      return {
        jobId,
        attempt,
        outcome: { $case: 'canceled', value: outcome.text },
        additionalResult: undefined,
        neverStarted: outcome.neverStarted ?? false,
      }
  }
}

function payloadFromValue(value: ResultValue | undefined): Payload {
  if (value === undefined) return { source: undefined, contentType: '' }
  if (typeof value === 'string') {
    return { source: { $case: 'inline', value: Buffer.from(value, 'utf8') }, contentType: '' }
  }
  if (value instanceof Uint8Array) return inlineBytes(value, BYTES_TYPE)
  if ('bytes' in value) return inlineBytes(value.bytes, value.contentType)
  const { address, contentType, sha256 } = value
  const checksum = sha256 === undefined ? undefined : Buffer.from(sha256, 'hex')
  return { source: { $case: 'address', value: address }, contentType, sha256: checksum }
}

function inlineBytes(bytes: Uint8Array, contentType: string): Payload {
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { source: { $case: 'inline', value }, contentType }
}

function optionalPayload(value: ResultValue | undefined): Payload | undefined {
  return value === undefined ? undefined : payloadFromValue(value)
}

function jobErrorFromFault({ brief, detail, reason, retryable }: Fault): JobError {
  return { brief, detail, reason, retryable }
}

export function attemptRefMessage({ jobId, attempt }: AttemptRef): AttemptRefMessage {
  return { jobId, attempt }
}

/** Without data a bare sign of life (row J17). */
export function heartbeatReport(ref: AttemptRef, data: HeartbeatData | undefined): ProgressReport {
  const { jobId, attempt } = ref
  const heartbeatData = data === undefined ? undefined : payloadFromValue(data)
  return { jobId, attempt, progress: undefined, heartbeatData }
}

export function progressReport(ref: AttemptRef, note: ProgressNote): ProgressReport {
  const { jobId, attempt } = ref
  const { percent, text, revision } = note
  const extra = note.extra === undefined ? undefined : { ...note.extra }
  return { jobId, attempt, progress: { percent, text, extra, revision }, heartbeatData: undefined }
}

const SEVERITIES = {
  info: MessageSeverity.MESSAGE_SEVERITY_INFO,
  warning: MessageSeverity.MESSAGE_SEVERITY_WARNING,
  error: MessageSeverity.MESSAGE_SEVERITY_ERROR,
} as const

export function messageReport(ref: AttemptRef, note: MessageNote): MessageReport {
  const { number, text } = note
  const extra = note.extra === undefined ? undefined : { ...note.extra }
  const severity = SEVERITIES[note.severity]
  return { jobId: ref.jobId, attempt: ref.attempt, number, severity, text, extra }
}

export function methodDefinition(method: MethodAnnouncement): MethodDefinition {
  const { name, description, paramsSchema, resultSchema } = method
  return {
    name,
    description,
    paramsSchema,
    resultSchema,
    lane: laneFrom(method.lane),
    retryPolicy: retryPolicyFrom(method.retry),
    deadlines: deadlinesFrom(method.deadlines),
    startableBy: startersFrom(method.startableBy),
    privileged: method.privileged,
    foregroundOnly: method.foregroundOnly,
    labelExpressions: { ...method.labelExpressions },
    limits: (method.limits ?? []).map((limit) => jobLimitFrom(limit)),
    childrenPolicy: childrenPolicyFrom(method.childrenPolicy),
    version: method.version ?? '',
  }
}
