/** What a start writes, each column in one line: what the statements insert and what is sent to them follow from it. */

import type { NewJob } from '../domain/held-job.ts'
import { JobKind } from '../domain/job-kind.ts'
import { BIRTHS } from '../domain/job-state.ts'
import { storedLane } from '../domain/lane.ts'
import { storedOptions } from './job-options-codec.ts'

interface CommonColumn {
  readonly column: string
  readonly type: string
  readonly of: (job: NewJob) => unknown
}

/** What every start has: an array for each, in this order, from the first parameter on. */
export const COMMON: readonly CommonColumn[] = [
  { column: 'id', type: 'uuid', of: ({ id }) => id },
  { column: 'namespace', type: 'text', of: ({ command }) => command.namespace },
  { column: 'method', type: 'text', of: ({ command }) => command.method },
  { column: 'owner', type: 'text', of: ({ command }) => command.owner },
  { column: 'state', type: 'smallint', of: firstState },
  { column: 'lane', type: 'smallint', of: ({ lane, command }) => storedLane(lane, command.pool) },
  { column: 'attachment_id', type: 'uuid', of: ({ attachmentId }) => attachmentId ?? null },
  { column: 'params', type: 'bytea', of: ({ command }) => command.params.inline ?? null },
  { column: 'traceparent', type: 'text', of: ({ command }) => command.traceparent || null },
  {
    column: 'id_is_request_id',
    type: 'boolean',
    of: ({ id, command }) => command.requestId === id,
  },
]

/** Before the gates, a parent or a time to come say otherwise. */
export function firstState({ attachmentId }: NewJob) {
  return attachmentId === undefined ? BIRTHS.queued : BIRTHS.atOnce
}

interface RareColumn {
  readonly column: string
  /** SQL for its value, given that for the object. */
  readonly sql: (rest: string) => string
}

const text = (name: string) => (rest: string) => `${rest}->>'${name}'`
const json = (name: string) => (rest: string) => `${rest}->'${name}'`

/** What most starts do not have: all of a job's in one JSON object, by these names. */
export const RARE = {
  kind: {
    column: 'kind',
    sql: (rest) => `coalesce((${rest}->>'kind')::smallint, ${JobKind.program})`,
  },
  priority: {
    column: 'priority',
    sql: (rest) => `coalesce((${rest}->>'priority')::smallint, 0)`,
  },
  pool: { column: 'pool', sql: text('pool') },
  limitKey: { column: 'limit_key', sql: text('limitKey') },
  key: { column: 'key', sql: text('key') },
  requestId: { column: 'request_id', sql: text('requestId') },
  attachedTo: { column: 'attached_to', sql: (rest) => `(${rest}->>'attachedTo')::uuid` },
  parentId: { column: 'parent_id', sql: (rest) => `(${rest}->>'parentId')::uuid` },
  paramsAddress: { column: 'params_address', sql: text('paramsAddress') },
  paramsType: { column: 'params_type', sql: text('paramsType') },
  paramsSha256: {
    column: 'params_sha256',
    sql: (rest) => `decode(${rest}->>'paramsSha256', 'hex')`,
  },
  leaseId: { column: 'exclusive_lease', sql: (rest) => `(${rest}->>'leaseId')::uuid` },
  labels: { column: 'labels', sql: json('labels') },
  options: { column: 'options', sql: json('options') },
} as const satisfies Readonly<Record<string, RareColumn>>

/** What the statement itself goes by, in the same object. */
type Direction =
  | 'admin'
  | 'attachedBy'
  | 'startTime'
  | 'delayMs'
  | 'queueDeadlineMs'
  | 'totalDeadlineMs'
  | 'behind'
  | 'automatic'

type Rest = Readonly<Record<keyof typeof RARE | Direction, unknown>>

/** The rare part of a start as JSON, or null when there is none. */
export function restOf({ id, command }: NewJob, behind: boolean): string | null {
  const { params, parentId, options } = command
  const rest: Rest = {
    kind: command.kind === JobKind.program ? undefined : command.kind,
    priority: command.priority || undefined,
    pool: command.pool || undefined,
    limitKey: command.limitKey,
    key: command.key || undefined,
    requestId: command.requestId === id ? undefined : command.requestId || undefined,
    attachedTo: command.isAttached ? parentId : undefined,
    parentId: parentId || undefined,
    paramsAddress: params.address,
    paramsType: params.type || undefined,
    paramsSha256: params.sha256 && Buffer.from(params.sha256).toString('hex'),
    leaseId: command.leaseId,
    labels: command.labels,
    options: storedOptions(options),
    attachedBy: command.attachedBy,
    admin: (parentId !== '' && command.admin) || undefined,
    startTime: command.startTime,
    delayMs: command.delayMs || undefined,
    queueDeadlineMs: options?.queueDeadlineMs,
    totalDeadlineMs: options?.totalDeadlineMs,
    behind: behind || undefined,
    automatic: command.isAutomatic || undefined,
  }
  for (const name in rest) {
    if (rest[name as keyof Rest] !== undefined) return JSON.stringify(rest)
  }
  return null
}
