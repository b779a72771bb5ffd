/** What a start writes, each column in one line: what the statements insert and what is sent to them follow from it. */

import type { NewJob } from '../domain/held-job.ts'
import { JobKind } from '../domain/job-kind.ts'
import { BIRTHS } from '../domain/job-state.ts'
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
  { column: 'lane', type: 'smallint', of: ({ lane }) => lane },
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
  /** Undefined where there is nothing to say. */
  readonly of: (job: NewJob) => unknown
}

const text = (name: string) => (rest: string) => `${rest}->>'${name}'`
const json = (name: string) => (rest: string) => `${rest}->'${name}'`

/** What most starts do not have: all of a job's in one JSON object, by these names. */
export const RARE: Readonly<Record<string, RareColumn>> = {
  kind: {
    column: 'kind',
    sql: (rest) => `coalesce((${rest}->>'kind')::smallint, ${JobKind.program})`,
    of: ({ command }) => (command.kind === JobKind.program ? undefined : command.kind),
  },
  priority: {
    column: 'priority',
    sql: (rest) => `coalesce((${rest}->>'priority')::smallint, 0)`,
    of: ({ command }) => command.priority || undefined,
  },
  key: { column: 'key', sql: text('key'), of: ({ command }) => command.key || undefined },
  requestId: {
    column: 'request_id',
    sql: text('requestId'),
    of: ({ id, command }) =>
      command.requestId === id ? undefined : command.requestId || undefined,
  },
  parentId: {
    column: 'parent_id',
    sql: (rest) => `(${rest}->>'parentId')::uuid`,
    of: ({ command }) => command.parentId || undefined,
  },
  paramsAddress: {
    column: 'params_address',
    sql: text('paramsAddress'),
    of: ({ command }) => command.params.address,
  },
  paramsType: {
    column: 'params_type',
    sql: text('paramsType'),
    of: ({ command }) => command.params.type || undefined,
  },
  paramsSha256: {
    column: 'params_sha256',
    sql: (rest) => `decode(${rest}->>'paramsSha256', 'hex')`,
    of: ({ command: { params } }) => params.sha256 && Buffer.from(params.sha256).toString('hex'),
  },
  labels: { column: 'labels', sql: json('labels'), of: ({ command }) => command.labels },
  options: {
    column: 'options',
    sql: json('options'),
    of: ({ command }) => storedOptions(command.options),
  },
}

/** What the statement itself goes by, in the same object. */
export const DIRECTIONS: Readonly<Record<string, (job: NewJob) => unknown>> = {
  admin: ({ command }) => (command.parentId !== '' && command.admin) || undefined,
  startTime: ({ command }) => command.startTime,
  delayMs: ({ command }) => command.delayMs || undefined,
  queueDeadlineMs: ({ command }) => command.options?.queueDeadlineMs,
}
