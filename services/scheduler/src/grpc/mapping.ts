/** Where the shapes that all proto messages share meet the domain's: names, times, payloads, policies. */
import { isUtf8 } from 'node:buffer'
import { type Actor, mayEnter } from '@offstage/kit/auth'
import { durationFrom, msFrom } from '@offstage/proto/durations'
import { isJsonType, namespaceFault, textFault, versionFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { backoffMsMaxDefault, RETRY_DEFAULTS } from '@offstage/proto/retry-defaults'
import type { Duration } from '@offstage/proto/rpc'
import { type ChildrenPolicy, childrenPolicyOf } from '../domain/attached-children.ts'
import { isJobId, isLeaseId, type JobId, type LeaseId } from '../domain/ids.ts'
import type { RetryPolicy } from '../domain/retry-policy.ts'
import type { MethodDefault, Payload, StartOptions } from '../domain/start-command.ts'
import { invalidField, namespaceNotFound } from '../refusals.ts'

/** The namespace a request names. One the actor may not enter looks like one that is not there (guarantee 8). */
export function namespaceFor(actor: Actor, text: string): string {
  const namespace = text === '' ? 'default' : text
  const fault = namespaceFault(namespace)
  if (fault !== undefined) throw invalidField('namespace', fault)
  if (!mayEnter(actor, namespace)) throw namespaceNotFound(namespace)
  return namespace
}

/** Ids are compared as text: upper case would name another job. */
export function jobIdFrom(id: string, field = 'job_id'): JobId {
  if (isJobId(id)) return id
  throw invalidField(field, 'must be a job id, a lower-case UUID')
}

export function leaseIdFrom(id: string): LeaseId {
  if (isLeaseId(id)) return id
  throw invalidField('lease_id', 'must be the id of a lease, a lower-case UUID')
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
  if (source.$case === 'address') return { address: source.value, type, sha256: payload.sha256 }
  return { inline: source.value, type }
}

/** Readers would put other characters in the place of what is no UTF-8. Whether it is JSON is theirs to say. */
export function jsonFault({ inline, type }: Payload): string | undefined {
  if (inline === undefined || isUtf8(inline) || !isJsonType(type)) return undefined
  return 'is no UTF-8, as JSON must be: name its content_type, or encode it so'
}

export function payloadTo(payload: Payload | undefined): proto.Payload | undefined {
  if (payload === undefined) return undefined
  const { inline, address, type, sha256 } = payload
  if (address !== undefined) {
    const checksum = sha256 === undefined ? undefined : bufferOf(sha256)
    return { source: { $case: 'address', value: address }, contentType: type, sha256: checksum }
  }
  if (inline === undefined) return { source: undefined, contentType: type }
  return { source: { $case: 'inline', value: bufferOf(inline) }, contentType: type }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Proto3 has no absent numbers: 0 stands for the default. */
/** Undefined where nothing is said. */
export function childrenPolicyFrom(
  policy: proto.ChildrenPolicy,
  field = 'children_policy',
): ChildrenPolicy | undefined {
  if (policy === 0) return undefined
  const known = childrenPolicyOf(policy)
  if (known === undefined) throw invalidField(field, 'is not a known value')
  return known
}

export function retryFrom(policy: proto.RetryPolicy | undefined): RetryPolicy | undefined {
  if (policy === undefined) return undefined
  const defaults = RETRY_DEFAULTS
  const initialBackoffMs = msFrom(policy.initialBackoff) ?? defaults.initialBackoffMs
  return {
    maxAttempts: policy.maxAttempts || defaults.maxAttempts,
    initialBackoffMs,
    backoffMultiplier:
      policy.backoffMultiplier === 0 ? defaults.backoffMultiplier : policy.backoffMultiplier,
    backoffMsMax: msFrom(policy.maxBackoff) ?? backoffMsMaxDefault(initialBackoffMs),
    jitter: policy.jitter ?? defaults.jitter,
  }
}

export function retryTo(policy: RetryPolicy | undefined): proto.RetryPolicy | undefined {
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

export function deadlinesTo(limits: Pick<StartOptions, MethodDefault>): proto.Deadlines {
  return {
    queue: durationFrom(limits.queueDeadlineMs),
    attempt: durationFrom(limits.attemptDeadlineMs),
    total: durationFrom(limits.totalDeadlineMs),
    heartbeat: durationFrom(limits.heartbeatDeadlineMs),
  }
}

export function afterSequenceFrom(sequence: number, field: string): number {
  if (sequence >= 0) return sequence
  throw invalidField(field, 'must be 0 or more')
}

export function requestIdFrom(requestId: string): string {
  const fault = textFault(requestId, LIMITS.requestIdCharactersMax)
  if (fault === undefined) return requestId
  throw invalidField('request_id', fault)
}

/** Of a retry; empty: none from now on; undefined: what was required before. */
export function requiredVersionFrom(version: string | undefined): string | undefined {
  const fault = version && versionFault(version)
  if (fault) throw invalidField('required_version', fault)
  return version
}

export function pageSizeFrom(size: number, fallback: number): number {
  if (size === 0) return fallback
  if (size > 0 && size <= LIMITS.pageSizeMax) return size
  throw invalidField('page_size', `must be within 1 and ${LIMITS.pageSizeMax}`)
}
