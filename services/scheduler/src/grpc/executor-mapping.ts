/** Where proto types and domain types of the executor protocol meet. */
import type { Actor } from '@offstage/kit/auth'
import type * as proto from '@offstage/proto/executor'
import { EXTRA_BYTES_MAX, EXTRA_DEPTH_MAX, isDeeper } from '@offstage/proto/extra'
import type { Payload } from '@offstage/proto/jobs'
import { LANE_SLOTS_MAX, type Outgoing } from '../dispatch/attachment.ts'
import type { AttemptResult } from '../dispatch/ends.ts'
import type { Hello, Incoming } from '../dispatch/serve-executor.ts'
import type { MethodDefinition } from '../domain/method-definition.ts'
import {
  checkLimits,
  type Payload as DomainPayload,
  isJobId,
  LIMITS,
} from '../domain/start-command.ts'
import { collectViolations } from '../domain/violations.ts'
import type { RunningJob } from '../ports.ts'
import { invalidField, notImplemented } from '../refusals.ts'
import { durationFrom, msFrom, namespaceFor, payloadFrom, payloadTo, retryFrom } from './mapping.ts'

const METHODS_MAX = 10_000
const METHOD = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/

export function helloFrom(actor: Actor, hello: proto.Hello | undefined): Hello {
  if (hello === undefined) throw invalidField('hello', 'must be in the first message')
  if (!isJobId(hello.sessionId)) throw invalidField('hello.session_id', 'must be a lower-case UUID')
  if (hello.methods.length > METHODS_MAX) {
    throw invalidField('hello.methods', `must be at most ${METHODS_MAX}`)
  }
  return {
    sessionId: hello.sessionId,
    namespace: namespaceFor(actor, hello.namespace),
    name: textFrom(hello.name, 200),
    methods: hello.methods.map(methodFrom),
    running: hello.running.filter(({ jobId }) => isJobId(jobId)),
  }
}

function methodFrom(method: proto.MethodDefinition, index: number): MethodDefinition {
  if (method.name.length > 200 || !METHOD.test(method.name)) {
    throw invalidField(`hello.methods[${index}].name`, 'must be segments joined by dots')
  }
  for (const limit of ['total', 'heartbeat'] as const) {
    if (method.deadlines?.[limit] === undefined) continue
    throw notImplemented(`hello.methods[${index}].deadlines.${limit} of ${method.name}`)
  }
  const limits = {
    retry: retryFrom(method.retryPolicy),
    queueDeadlineMs: msFrom(method.deadlines?.queue),
    attemptDeadlineMs: msFrom(method.deadlines?.attempt),
  }
  const [wrong] = collectViolations((check) => checkLimits(limits, check))
  if (wrong !== undefined) {
    throw invalidField(
      `hello.methods[${index}].${wrong.field}`,
      `${wrong.description}: ${method.name}`,
    )
  }
  return {
    name: method.name,
    description: textFrom(method.description, 1_000),
    paramsSchema: method.paramsSchema,
    resultSchema: method.resultSchema,
    lane: method.lane || 1,
    ...limits,
  }
}

export function incomingFrom(frame: proto.AttachRequest): Incoming {
  return {
    credits: frame.credits.map(creditFrom),
    results: frame.results.map(resultFrom),
    progress: frame.progress.flatMap(({ jobId, attempt, progress }) => {
      if (progress === undefined) return []
      const { percent, text, extra, revision } = progress
      const bounded = Math.min(100, Math.max(0, percent || 0))
      const plain = { text: textFrom(text, 1_000), extra: extraFrom(extra) }
      const record = { percent: bounded, ...plain, revision }
      return [{ jobId, attempt, progress: record }]
    }),
    messages: frame.messages.map(({ jobId, attempt, number, severity, text, extra }) => ({
      jobId,
      attempt,
      number,
      severity: severity || 1,
      text: textFrom(text, 4_000),
      extra: extraFrom(extra),
    })),
    waiting: frame.waiting,
    handedBack: frame.handedBack,
    draining: frame.draining,
  }
}

/** What PostgreSQL cannot hold is left out, what is too long is cut: a report never fails a job. */
function textFrom(text: string, max: number): string {
  const plain = text.includes('\0') ? text.replaceAll('\0', '') : text
  if (plain.length <= max) return plain
  const cut = plain.slice(0, max)
  return cut.isWellFormed() ? cut : cut.slice(0, -1)
}

/**
 * What readers of other clients could not take is left out (proto/src/extra.ts); so is NUL, as in texts: PostgreSQL has
 * no place for it in JSON either.
 */
function extraFrom(extra: Record<string, unknown> | undefined) {
  if (extra === undefined || isDeeper(extra, EXTRA_DEPTH_MAX)) return undefined
  const json = JSON.stringify(extra)
  if (Buffer.byteLength(json) > EXTRA_BYTES_MAX) return undefined
  if (!json.includes('\\u0000')) return extra
  return JSON.parse(json.replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1'))
}

function creditFrom({ lane, slots }: proto.Credit): { lane: number; slots: number } {
  if (lane < 1 || lane > 3) throw invalidField('credits.lane', 'is not a known value')
  if (slots < 0 || slots > LANE_SLOTS_MAX)
    throw invalidField('credits.slots', 'must be within 0 and 100000')
  return { lane, slots }
}

/** An executor that sends a nonsensical address or type must not hold up the results beside it. */
function resultPayloadFrom(payload: Payload | undefined): DomainPayload | undefined {
  const parsed = payloadFrom(payload)
  if (parsed?.address === undefined && !parsed?.type) return parsed
  const type = textFrom(parsed.type, 100)
  if (parsed.address === undefined) return { ...parsed, type }
  return { address: textFrom(parsed.address, LIMITS.addressMax), type }
}

function resultFrom(result: proto.AttemptResult): AttemptResult {
  const { jobId, attempt, outcome } = result
  const additionalResult = resultPayloadFrom(result.additionalResult)
  switch (outcome?.$case) {
    case 'succeeded':
      return {
        jobId,
        attempt,
        outcome: { kind: 'succeeded', result: resultPayloadFrom(outcome.value) },
        additionalResult,
      }
    case 'failed': {
      const { brief, detail, reason, retryable } = outcome.value
      const error = {
        brief: textFrom(brief, 1_000),
        detail: textFrom(detail, 32_768),
        reason: textFrom(reason, 200),
        retryable,
      }
      return { jobId, attempt, outcome: { kind: 'failed', error }, additionalResult }
    }
    case 'canceled':
      return { jobId, attempt, outcome: { kind: 'canceled' }, additionalResult }
    default:
      throw invalidField('results.outcome', 'must be set')
  }
}

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
  }
}

const NO_LABELS = {}

function assignmentTo(job: RunningJob): proto.Assignment {
  const { options } = job
  return {
    jobId: job.id,
    attempt: job.attempt,
    method: job.method,
    params: payloadTo(job.params),
    lane: job.lane as proto.Assignment['lane'],
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
    requestedMethod: '',
  }
}

export function welcomeTo(
  hello: Hello,
  leaseMs: number,
  schedulerName: string,
): proto.AttachResponse {
  return {
    welcome: {
      sessionId: hello.sessionId,
      lease: durationFrom(leaseMs),
      scheduler: schedulerName,
    },
    assignments: [],
    cancels: [],
    fenced: [],
    acknowledged: [],
    drain: false,
  }
}
