/** Where proto types and domain types of the executor protocol meet. */

import { ROLES } from '@offstage/kit/auth'
import { durationFrom } from '@offstage/proto/durations'
import type * as proto from '@offstage/proto/executor'
import { isDeeper } from '@offstage/proto/extra'
import { contentTypeFault, isLonger } from '@offstage/proto/field-rules'
import type { Payload as PayloadMessage, Progress } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import type { ActBy } from '../domain/act.ts'
import type { AttemptResult } from '../domain/attempt-result.ts'
import type { RunningJob } from '../domain/held-job.ts'
import type { SessionId } from '../domain/ids.ts'
import { isSeverity, Severity } from '../domain/severity.ts'
import type { Payload } from '../domain/start-command.ts'
import type { Outgoing } from '../executors/outgoing-frames.ts'
import type { Incoming } from '../executors/serve-executor.ts'
import { invalidField } from '../refusals.ts'
import type { DeclarationOutcome } from '../schedules/declare.ts'
import { outcomeTo } from './declared-mapping.ts'
import { jsonFault, payloadFrom, payloadTo } from './mapping.ts'

export function incomingFrom(frame: proto.AttachRequest): Incoming {
  return {
    credits: frame.credits,
    results: frame.results.map(resultFrom),
    progress: frame.progress.map(({ jobId, attempt, progress, heartbeatData }, index) => ({
      jobId,
      attempt,
      progress: progress && progressFrom(progress),
      heartbeatData: heartbeatFrom(heartbeatData, `progress[${index}].heartbeat_data`),
    })),
    messages: frame.messages.map(({ jobId, attempt, number, severity, text, extra }, index) => ({
      jobId,
      attempt,
      number,
      severity: severityFrom(severity, index),
      text: textFrom(text, LIMITS.messageTextCharactersMax),
      extra: extraFrom(extra),
    })),
    waiting: frame.waiting,
    handedBack: frame.handedBack,
    draining: frame.draining,
    drainedBy: frame.drainedBy && drainerFrom(frame.drainedBy),
  }
}

function progressFrom({ percent, text, extra, revision }: Progress) {
  return {
    percent: Math.min(100, Math.max(0, percent || 0)),
    text: textFrom(text, LIMITS.progressTextCharactersMax),
    extra: extraFrom(extra),
    revision,
  }
}

/** Cut short it would be worse than none, and left out it would be missed by the next attempt only. */
function heartbeatFrom(data: PayloadMessage | undefined, field: string): Payload | undefined {
  const payload = payloadFrom(data)
  if (payload === undefined) return undefined
  const { inline, type } = payload
  if (inline === undefined) throw invalidField(field, 'must be inline')
  if (inline.length > LIMITS.inlineBytesMax) {
    throw invalidField(field, `has ${inline.length} bytes, more than ${LIMITS.inlineBytesMax}`)
  }
  const fault = contentTypeFault(type)
  if (fault !== undefined) throw invalidField(`${field}.content_type`, fault)
  const noJson = jsonFault(payload)
  if (noJson !== undefined) throw invalidField(`${field}.inline`, noJson)
  return payload
}

/** As the executor tells it, who asked the caller for a token. */
function drainerFrom({ user, roles, peer }: proto.DrainedBy): ActBy {
  const max = LIMITS.ownerCharactersMax
  return {
    user: textFrom(user, max),
    roles: ROLES.filter((role) => roles.includes(role)),
    peer: textFrom(peer, max),
    call: 'ExecutorControlService.Drain',
  }
}

/** What nobody could show is no trifle as a text that is too long: the executor speaks another language. */
function severityFrom(severity: proto.MessageReport['severity'], index: number): Severity {
  if (severity === 0) return Severity.info
  if (isSeverity(severity)) return severity
  throw invalidField(`messages[${index}].severity`, 'is not a known value')
}

/** What PostgreSQL cannot hold is left out, what is too long is cut: a report never fails a job. */
function textFrom(text: string, charactersMax: number): string {
  const plain = text.includes('\0') ? text.replaceAll('\0', '') : text
  if (!isLonger(plain, charactersMax)) return plain
  return [...plain.slice(0, 2 * charactersMax)].slice(0, charactersMax).join('')
}

/** As much of the text as so many bytes of UTF-8 hold, without half a character at the end. */
function cutToBytes(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return text
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax))
  return text.slice(0, read)
}

/**
 * What readers of other clients could not take is left out (proto/src/extra.ts); so is NUL, as in texts: PostgreSQL has
 * no place for it in JSON either.
 */
function extraFrom(extra: Record<string, unknown> | undefined) {
  if (extra === undefined || isDeeper(extra, LIMITS.extraDepthMax)) return undefined
  const json = JSON.stringify(extra)
  if (Buffer.byteLength(json) > LIMITS.extraBytesMax) return undefined
  if (!json.includes('\\u0000')) return extra
  return JSON.parse(json.replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1'))
}

function resultFrom(result: proto.AttemptResult): AttemptResult {
  const { jobId, attempt, outcome, neverStarted } = result
  const additionalResult = payloadFrom(result.additionalResult)
  switch (outcome?.$case) {
    case 'succeeded':
      return {
        jobId,
        attempt,
        outcome: { kind: 'succeeded', result: payloadFrom(outcome.value) },
        additionalResult,
      }
    case 'failed': {
      const { brief, detail, reason, retryable } = outcome.value
      const error = {
        brief: textFrom(brief, LIMITS.briefCharactersMax),
        detail: cutToBytes(textFrom(detail, LIMITS.detailBytesMax), LIMITS.detailBytesMax),
        reason: textFrom(reason, LIMITS.reasonCharactersMax),
        retryable,
      }
      return { jobId, attempt, outcome: { kind: 'failed', error }, additionalResult }
    }
    case 'canceled': {
      const how = textFrom(outcome.value, LIMITS.briefCharactersMax)
      return { jobId, attempt, outcome: { kind: 'canceled', how, neverStarted }, additionalResult }
    }
    default:
      throw invalidField('results.outcome', 'must be set')
  }
}

/** What executors deleted before storage did it by itself. */
const NONE: proto.DiscardedValue[] = []
const NO_OUTCOMES: proto.DeclarationOutcome[] = []

export function outgoingTo(frame: Outgoing): proto.AttachResponse {
  return {
    welcome: undefined,
    assignments: frame.assignments.map(assignmentTo),
    cancels: frame.cancels.map(({ jobId, attempt, reason, graceMs }) => ({
      jobId,
      attempt,
      reason,
      grace: durationFrom(graceMs),
    })),
    fenced: frame.fenced,
    acknowledged: frame.acknowledged,
    drain: frame.drain,
    discarded: NONE,
    schedules: NO_OUTCOMES,
  }
}

const NOTHING_SAID: proto.AttachResponse = {
  welcome: undefined,
  assignments: [],
  cancels: [],
  fenced: [],
  acknowledged: [],
  drain: false,
  discarded: NONE,
  schedules: NO_OUTCOMES,
}

const NO_LABELS = {}

function assignmentTo(job: RunningJob): proto.Assignment {
  const { options } = job
  return {
    jobId: job.id,
    attempt: job.attempt,
    method: job.method,
    params: payloadTo(job.params),
    lane: job.lane,
    owner: job.owner,
    namespace: job.namespace,
    traceparent: job.traceparent,
    tracestate: options?.tracestate ?? '',
    token: '',
    scope: options?.scope ?? '',
    resultAddress: options?.resultAddress ?? '',
    wantAdditionalResult: options?.wantAdditionalResult ?? false,
    additionalResultAddress: options?.additionalResultAddress ?? '',
    attemptDeadline: durationFrom(options?.attemptDeadlineMs),
    parentJobId: job.parentId,
    key: job.key,
    labels: job.labels ?? NO_LABELS,
    displayName: options?.displayName ?? '',
    heartbeatData: payloadTo(job.heartbeatData),
    requestedMethod: options?.requestedMethod ?? '',
    totalDeadline: durationFrom(job.totalLeftMs && Math.max(1, Math.round(job.totalLeftMs))),
    heartbeatDeadline: durationFrom(options?.heartbeatDeadlineMs),
  }
}

export function welcomeTo(
  sessionId: SessionId,
  leaseMs: number,
  schedulerName: string,
): proto.AttachResponse {
  const welcome = { sessionId, lease: durationFrom(leaseMs), scheduler: schedulerName }
  return { ...NOTHING_SAID, welcome }
}

export function outcomesTo(outcomes: readonly DeclarationOutcome[]): proto.AttachResponse {
  return { ...NOTHING_SAID, schedules: outcomes.map(outcomeTo) }
}
