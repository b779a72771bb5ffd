import type { Queryable } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type { NewJob } from '../ports.ts'

/**
 * What most starts do not give travels in one nullable JSON column, so that a plain start costs ten
 * array elements. Ids, request ids and keys that exist already make a row vanish from the answer.
 */
const INSERT = {
  name: 'insert_jobs',
  text: `
    INSERT INTO offstage.jobs (
      id, namespace, method, owner, state, lane, attachment_id, attempt, start_time, params, traceparent,
      kind, priority, key, request_id, parent_id, params_address, params_type, labels, options,
      due_time, queue_deadline, behind_key)
    SELECT u.id, u.namespace, u.method, u.owner,
      CASE WHEN u.due > now() OR u.behind THEN ${JobState.scheduled} ELSE u.state END,
      u.lane, u.attachment_id,
      CASE WHEN u.attachment_id IS NULL THEN 0 ELSE 1 END,
      CASE WHEN u.attachment_id IS NULL THEN NULL ELSE now() END,
      u.params, u.traceparent,
      coalesce((u.rest->>'kind')::smallint, 1), coalesce((u.rest->>'priority')::smallint, 0),
      u.rest->>'key', u.rest->>'requestId', (u.rest->>'parentId')::uuid,
      u.rest->>'paramsAddress', u.rest->>'paramsType', u.rest->'labels', u.rest->'options',
      u.due, now() + (u.rest->>'queueDeadlineMs')::float8 * interval '1 ms', u.behind
    FROM (
      SELECT p.*,
        coalesce((p.rest->>'behind')::boolean, false) AS behind,
        coalesce((p.rest->>'startTime')::timestamptz,
          now() + (p.rest->>'delayMs')::float8 * interval '1 ms') AS due
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[],
        $7::uuid[], $8::bytea[], $9::text[], $10::jsonb[])
        AS p(id, namespace, method, owner, state, lane, attachment_id, params, traceparent, rest)
    ) u
    ON CONFLICT DO NOTHING
    RETURNING id, state`,
}

interface InsertedRow {
  id: string
  state: JobState
}

export async function insertJobs(
  database: Queryable,
  jobs: readonly NewJob[],
  behindKey = false,
): Promise<Map<string, JobState>> {
  const ids: string[] = []
  const namespaces: string[] = []
  const methods: string[] = []
  const owners: string[] = []
  const states: number[] = []
  const lanes: number[] = []
  const attachments: (string | null)[] = []
  const params: (Uint8Array | null)[] = []
  const traceparents: (string | null)[] = []
  const rests: (string | null)[] = []
  for (const { id, command, lane, attachmentId } of jobs) {
    ids.push(id)
    namespaces.push(command.namespace)
    methods.push(command.method)
    owners.push(command.owner)
    states.push(attachmentId === undefined ? JobState.queued : JobState.running)
    lanes.push(lane)
    attachments.push(attachmentId ?? null)
    params.push(command.params.inline ?? null)
    traceparents.push(command.traceparent === '' ? null : command.traceparent)
    rests.push(restOf(id, command, behindKey))
  }
  const { rows } = await database.query<InsertedRow>(INSERT, [
    ids,
    namespaces,
    methods,
    owners,
    states,
    lanes,
    attachments,
    params,
    traceparents,
    rests,
  ])
  return new Map(rows.map((row) => [row.id, row.state]))
}

/** The uncommon part of a start as JSON, or null when there is none. */
function restOf(id: string, command: StartCommand, behind: boolean): string | null {
  const { options, params } = command
  const requestId = command.requestId === id ? '' : command.requestId
  const plain =
    !behind &&
    command.key === '' &&
    requestId === '' &&
    command.parentId === '' &&
    command.kind === 1 &&
    command.priority === 0 &&
    command.delayMs === 0 &&
    command.startTime === undefined &&
    command.labels === undefined &&
    options === undefined &&
    params.address === undefined &&
    params.type === ''
  if (plain) return null
  return JSON.stringify({
    kind: command.kind,
    priority: command.priority,
    key: command.key || undefined,
    requestId: requestId || undefined,
    parentId: command.parentId || undefined,
    paramsAddress: params.address,
    paramsType: params.type || undefined,
    labels: command.labels,
    options,
    startTime: command.startTime,
    delayMs: command.delayMs || undefined,
    queueDeadlineMs: options?.queueDeadlineMs,
    behind: behind || undefined,
  })
}
