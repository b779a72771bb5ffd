/** Where a JobSpec becomes a start command. */
import type { AttemptRef } from '@offstage/kit/auth'
import { msFrom } from '@offstage/proto/durations'
import { poolRule } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { FOREGROUND, type ForegroundStart } from '../domain/foreground.ts'
import { isSessionId } from '../domain/ids.ts'
import { JobKind } from '../domain/job-kind.ts'
import { isJobLane } from '../domain/lane.ts'
import { poolFrom, poolOfVersion, requiredVersionOf } from '../domain/pool.ts'
import type { KeyConflict, Payload, StartCommand, StartOptions } from '../domain/start-command.ts'
import { sessionKeyOf } from '../executors/session-key.ts'
import { invalidField } from '../refusals.ts'
import { childrenPolicyFrom, jsonFault, leaseIdFrom, payloadFrom, retryFrom } from './mapping.ts'

const KEY_CONFLICTS: Readonly<Record<number, KeyConflict>> = {
  0: 'refuse',
  1: 'refuse',
  2: 'return-running',
  3: 'queue-behind',
}

/** What the starts of one call have in common: who starts them, where, and within which trace. */
export interface StartOrigin
  extends Pick<StartCommand, 'namespace' | 'owner' | 'admin' | 'seesOthers' | 'parentId'> {
  readonly traceparent: string
  readonly tracestate: string
  /** Undefined: they are started by no attempt. */
  readonly attempt?: AttemptRef | undefined
}

export function startCommandFrom(spec: proto.JobSpec, origin: StartOrigin): StartCommand {
  const keyConflict = KEY_CONFLICTS[spec.keyConflictPolicy]
  if (keyConflict === undefined) throw invalidField('key_conflict_policy', 'is not a known value')
  if (spec.kind !== 0 && spec.kind !== JobKind.program)
    throw invalidField('kind', 'must be PROGRAM: the other kinds are Offstage’s own')
  if (!isJobLane(spec.lane)) throw invalidField('lane', 'is not a known value')
  return {
    namespace: origin.namespace,
    owner: origin.owner,
    admin: origin.admin,
    seesOthers: origin.seesOthers,
    method: spec.method,
    params: paramsFrom(spec.params),
    kind: JobKind.program,
    lane: spec.lane,
    priority: spec.priority,
    pool: poolOf(spec),
    key: spec.key,
    keyConflict,
    requestId: spec.requestId,
    parentId: spec.parentJobId || origin.parentId,
    labels: labelsFrom(spec.labels),
    startTime: spec.startTime,
    delayMs: msFrom(spec.delay) ?? 0,
    traceparent: spec.traceparent || origin.traceparent,
    options: startOptionsFrom(spec, origin.tracestate),
    ...(spec.fallbackMethod !== '' && { fallbackMethod: spec.fallbackMethod }),
    ...(spec.attached && attachedFrom(spec, origin)),
    ...((spec.mode !== 0 || spec.executorSessionId !== '') && {
      foreground: foregroundFrom(spec, origin),
    }),
    ...(spec.automatic && { isAutomatic: true }),
    ...(spec.leaseId !== '' && { leaseId: leaseIdFrom(spec.leaseId) }),
  }
}

function attachedFrom({ parentJobId }: proto.JobSpec, { attempt }: StartOrigin) {
  const isOwn = attempt !== undefined && (parentJobId === '' || parentJobId === attempt.jobId)
  return { isAttached: true, ...(isOwn && { attachedBy: attempt.attempt }) }
}

function poolOf({ pool, requiredVersion }: proto.JobSpec): string {
  // It has its own field: not as part of a name.
  if (requiredVersionOf(pool) !== '') throw invalidField('pool', `must be ${poolRule}`)
  return requiredVersion === '' ? poolFrom(pool) : poolOfVersion(poolFrom(pool), requiredVersion)
}

const BACKGROUND = 1
const MODES: Readonly<Record<number, ForegroundStart['mode']>> = {
  0: 'only',
  [FOREGROUND.only]: 'only',
  [FOREGROUND.first]: 'first',
  4: 'auto',
}

/** Forced and forbidden at once is refused, and so is a session without a mode that has one (row L7). */
function foregroundFrom(
  { mode, executorSessionId: sessionId }: proto.JobSpec,
  { owner, namespace }: StartOrigin,
): ForegroundStart | undefined {
  if (mode === BACKGROUND) {
    if (sessionId === '') return undefined
    throw invalidField(
      'mode',
      'is BACKGROUND, which excludes executor_session_id: give one of them',
    )
  }
  const asked = MODES[mode]
  if (asked === undefined) throw invalidField('mode', 'is not a known value')
  if (sessionId === '') {
    throw invalidField('executor_session_id', 'is required by the mode: it is where the job runs')
  }
  if (!isSessionId(sessionId))
    throw invalidField('executor_session_id', 'must be a lower-case UUID')
  const sessionKey = sessionKeyOf({ user: owner, namespace, sessionId })
  return { sessionId, sessionKey, mode: asked }
}

/** What those of a schedule say to its handler, nobody else may (row K3). */
const RESERVED = 'offstage.'

function labelsFrom(labels: proto.JobSpec['labels']): StartCommand['labels'] {
  if (!hasEntries(labels)) return undefined
  for (const name in labels) {
    if (!name.startsWith(RESERVED)) continue
    throw invalidField(
      `labels[${name}]`,
      `is reserved: labels that begin with "${RESERVED}" are Offstage’s own`,
    )
  }
  return labels
}

/** As with `traceparent`: what does not fit is left out. */
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
  const payload = payloadFrom(params) ?? EMPTY_PARAMS
  const fault = jsonFault(payload)
  if (fault !== undefined) throw invalidField('params.inline', fault)
  return payload
}

function hasEntries(labels: Record<string, string>): boolean {
  for (const _ in labels) return true
  return false
}

/** What the scheduler itself says of a start. */
type MadeHere = 'privileged' | 'misfits' | 'requestedMethod' | 'foreground' | 'homePool'

/** Every option a start may ask for. */
type AskedOptions = Readonly<Record<Exclude<keyof StartOptions, MadeHere>, unknown>> & StartOptions

/** Undefined when nothing is asked for, which keeps the hot path free of it. */
function startOptionsFrom(spec: proto.JobSpec, tracestate: string): StartOptions | undefined {
  const { params, deadlines } = spec
  const options: AskedOptions = {
    displayName: spec.displayName || undefined,
    scope: spec.scope || undefined,
    resultAddress: spec.resultAddress || undefined,
    wantAdditionalResult: spec.wantAdditionalResult || undefined,
    additionalResultAddress: spec.additionalResultAddress || undefined,
    cancelWithParent: spec.cancelWithParent || spec.attached || undefined,
    childrenPolicy: childrenPolicyFrom(spec.childrenPolicy),
    retry: retryFrom(spec.retryPolicy),
    attemptDeadlineMs: msFrom(deadlines?.attempt),
    queueDeadlineMs: msFrom(deadlines?.queue),
    totalDeadlineMs: msFrom(deadlines?.total),
    heartbeatDeadlineMs: msFrom(deadlines?.heartbeat),
    tracestate: spec.tracestate || fitting(tracestate, LIMITS.tracestateCharactersMax) || undefined,
    paramsOwned: (spec.paramsOwned && params?.source?.$case === 'address') || undefined,
  }
  for (const name in options) {
    if (options[name as keyof AskedOptions] !== undefined) return onlyAsked(options)
  }
  return undefined
}

/** What is not asked for is not there: the method's terms stand in its place. */
function onlyAsked(options: AskedOptions): StartOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
