/** Where a JobSpec becomes a start command. */
import { type Actor, mayForOthers } from '@offstage/kit/auth'
import { msFrom } from '@offstage/proto/durations'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { JobKind } from '../domain/job-kind.ts'
import { isJobLane } from '../domain/lane.ts'
import type { KeyConflict, Payload, StartCommand, StartOptions } from '../domain/start-command.ts'
import { invalidField, notImplemented } from '../refusals.ts'
import { payloadFrom, retryFrom } from './mapping.ts'

const KEY_CONFLICTS: Readonly<Record<number, KeyConflict>> = {
  0: 'refuse',
  1: 'refuse',
  2: 'return-running',
  3: 'queue-behind',
}

/** Who starts jobs, where, and within which trace. */
export interface StartOrigin {
  readonly namespace: string
  readonly actor: Actor
  readonly traceparent: string
  readonly tracestate: string
}

export function startCommandFrom(spec: proto.JobSpec, origin: StartOrigin): StartCommand {
  refuseUnsupported(spec)
  const keyConflict = KEY_CONFLICTS[spec.keyConflictPolicy]
  if (keyConflict === undefined) throw invalidField('key_conflict_policy', 'is not a known value')
  if (spec.kind !== 0 && spec.kind !== JobKind.program)
    throw invalidField('kind', 'must be PROGRAM: the other kinds are Offstage’s own')
  if (!isJobLane(spec.lane)) throw invalidField('lane', 'is not a known value')
  return {
    namespace: origin.namespace,
    owner: origin.actor.user,
    admin: mayForOthers(origin.actor, 'jobs.start'),
    method: spec.method,
    params: paramsFrom(spec.params),
    kind: JobKind.program,
    lane: spec.lane,
    priority: spec.priority,
    key: spec.key,
    keyConflict,
    requestId: spec.requestId,
    parentId: spec.parentJobId,
    labels: hasEntries(spec.labels) ? spec.labels : undefined,
    startTime: spec.startTime,
    delayMs: msFrom(spec.delay) ?? 0,
    traceparent: spec.traceparent || fitting(origin.traceparent, LIMITS.traceparentCharactersMax),
    options: startOptionsFrom(spec, origin.tracestate),
  }
}

/** Trace context from a header is not the caller's doing: what does not fit is left out, as W3C allows. */
function fitting(header: string, charactersMax: number): string {
  return header.length <= charactersMax ? header : ''
}

const EMPTY_PARAMS: Payload = { type: '' }

/** What says something of a value that is not there is refused, not dropped. */
function paramsFrom(params: proto.Payload | undefined): Payload {
  const kind = params?.source?.$case
  if (params !== undefined && kind === undefined && params.contentType !== '') {
    throw invalidField('params.content_type', 'is of a value, and params has none')
  }
  if (params?.sha256 !== undefined && kind !== 'address') {
    throw invalidField('params.sha256', 'is of a value at an address')
  }
  return payloadFrom(params) ?? EMPTY_PARAMS
}

function hasEntries(labels: Record<string, string>): boolean {
  for (const _ in labels) return true
  return false
}

/** What a newer caller may ask for and this scheduler cannot do is refused, never passed over. */
function refuseUnsupported(spec: proto.JobSpec): void {
  if (spec.fallbackMethod !== '') throw notImplemented('fallback_method')
  if (spec.pool !== '') throw notImplemented('pool')
  if (spec.executorSessionId !== '') throw notImplemented('executor_session_id')
  if (spec.deadlines?.total !== undefined) throw notImplemented('deadlines.total')
  if (spec.deadlines?.heartbeat !== undefined) throw notImplemented('deadlines.heartbeat')
}

/** Undefined when nothing is asked for, which keeps the hot path free of it. */
function startOptionsFrom(spec: proto.JobSpec, tracestate: string): StartOptions | undefined {
  const state = spec.tracestate || fitting(tracestate, LIMITS.tracestateCharactersMax)
  const paramsOwned = spec.paramsOwned && spec.params?.source?.$case === 'address'
  const plain =
    spec.displayName === '' &&
    spec.scope === '' &&
    spec.resultAddress === '' &&
    !spec.wantAdditionalResult &&
    spec.additionalResultAddress === '' &&
    !spec.cancelWithParent &&
    spec.retryPolicy === undefined &&
    spec.deadlines === undefined &&
    !paramsOwned &&
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
    paramsOwned: paramsOwned || undefined,
  }
}
