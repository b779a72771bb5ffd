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
    seesOthers: mayForOthers(origin.actor, 'jobs.read'),
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

type OptionsFrom = {
  readonly [K in Exclude<keyof StartOptions, 'privileged'>]-?: (
    spec: proto.JobSpec,
    tracestate: string,
  ) => StartOptions[K] | undefined
}

/** Every option of a start, and how it is read; undefined where it is not asked for. */
const OPTIONS: OptionsFrom = {
  displayName: (spec) => spec.displayName || undefined,
  scope: (spec) => spec.scope || undefined,
  resultAddress: (spec) => spec.resultAddress || undefined,
  wantAdditionalResult: (spec) => spec.wantAdditionalResult || undefined,
  additionalResultAddress: (spec) => spec.additionalResultAddress || undefined,
  cancelWithParent: (spec) => spec.cancelWithParent || undefined,
  retry: (spec) => retryFrom(spec.retryPolicy),
  attemptDeadlineMs: (spec) => msFrom(spec.deadlines?.attempt),
  queueDeadlineMs: (spec) => msFrom(spec.deadlines?.queue),
  tracestate: (spec, tracestate) =>
    spec.tracestate || fitting(tracestate, LIMITS.tracestateCharactersMax) || undefined,
  paramsOwned: (spec) =>
    (spec.paramsOwned && spec.params?.source?.$case === 'address') || undefined,
}

const READERS = Object.entries(OPTIONS)

/** Undefined when nothing is asked for, which keeps the hot path free of it. */
function startOptionsFrom(spec: proto.JobSpec, tracestate: string): StartOptions | undefined {
  let options: Record<string, unknown> | undefined
  for (const [name, read] of READERS) {
    const value = read(spec, tracestate)
    if (value === undefined) continue
    options ??= {}
    options[name] = value
  }
  return options
}
