import { type Queryable, sqlStateOf } from '@offstage/kit/database'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import { JobKind } from '../domain/job-kind.ts'
import { BIRTHS, JobState } from '../domain/job-state.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type { NewJob } from '../ports.ts'
import { gatesMoved } from './gates.ts'
import { storedOptions } from './job-options-codec.ts'

/**
 * The hot one: starts that give nothing but a method and parameters. It does not look for conflicts first, which would
 * cost a quarter more; where it meets one it changes nothing, and the batch goes through the careful statement. So it does
 * where jobs were to begin by gates that have changed.
 */
const INSERT_PLAIN = {
  name: 'insert_plain_jobs',
  text: `
    INSERT INTO offstage.jobs (
      id, namespace, method, owner, state, lane, attachment_id, attempt, start_time, params, traceparent,
      id_is_request_id, kind, priority)
    SELECT u.id, u.namespace, u.method, u.owner, u.state, u.lane, u.attachment_id,
      CASE WHEN u.attachment_id IS NULL THEN 0 ELSE 1 END,
      CASE WHEN u.attachment_id IS NULL THEN NULL ELSE now() END,
      u.params, u.traceparent, u.id_is_request_id, 1, 0
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[], $7::uuid[],
      $8::bytea[], $9::text[], $10::boolean[])
      AS u(id, namespace, method, owner, state, lane, attachment_id, params, traceparent, id_is_request_id)
    WHERE NOT ${gatesMoved('$11')}`,
}

/**
 * What most starts do not give travels in one nullable JSON column, so that a plain start costs eleven
 * array elements. Ids, request ids and keys that exist already make a row vanish from the answer, and so do a key
 * somebody waits for, and a parent that does not exist for who starts it.
 *
 * Jobs that were to begin by gates that have changed since are recorded as queued: claims ask the gates as they are.
 *
 * Parents are locked against being canceled meanwhile: a child of a canceled tree is recorded as canceled, as if
 * the cancel had come right after its start (guarantee 7).
 */
const INSERT = {
  name: 'insert_jobs',
  text: `
    WITH parent AS (
      SELECT j.id, coalesce(j.root_id, j.id) AS root_id, j.namespace, j.owner, j.cancel_time IS NOT NULL AS canceled, j.cancel_cascade AS cascade
      FROM offstage.jobs j WHERE j.id = ANY ($12::uuid[])
      ORDER BY j.id FOR SHARE
    )
    INSERT INTO offstage.jobs (
      id, namespace, method, owner, state, lane, attachment_id, attempt, start_time, params, traceparent,
      id_is_request_id, kind, priority, key, request_id, parent_id, root_id, params_address, params_type, params_sha256,
      labels, options,
      due_time, queue_deadline, behind_key, finish_time, cancel_time, cancel_outcome)
    SELECT u.id, u.namespace, u.method, u.owner,
      CASE WHEN u.canceled THEN ${BIRTHS.doomed}
        WHEN u.due > now() OR u.behind THEN ${BIRTHS.later}
        WHEN u.attachment_id IS NULL THEN ${BIRTHS.queued} ELSE u.state END,
      u.lane, u.attachment_id,
      CASE WHEN u.attachment_id IS NULL THEN 0 ELSE 1 END,
      CASE WHEN u.attachment_id IS NULL THEN NULL ELSE now() END,
      u.params, u.traceparent, u.id_is_request_id,
      coalesce((u.rest->>'kind')::smallint, 1), coalesce((u.rest->>'priority')::smallint, 0),
      u.rest->>'key', u.rest->>'requestId', (u.rest->>'parentId')::uuid, u.root_id,
      u.rest->>'paramsAddress', u.rest->>'paramsType',
      decode(u.rest->>'paramsSha256', 'hex'), u.rest->'labels', u.rest->'options',
      u.due, now() + (u.rest->>'queueDeadlineMs')::float8 * interval '1 ms', u.behind,
      CASE WHEN u.canceled THEN now() END, CASE WHEN u.canceled THEN now() END,
      CASE WHEN u.canceled THEN ${CancelOutcome.neverStarted} ELSE ${CancelOutcome.unknown} END
    FROM (
      SELECT p.id, p.namespace, p.method, p.owner, p.state, p.lane, p.params, p.traceparent,
        p.id_is_request_id, p.rest,
        CASE WHEN doom.canceled OR p.rest ? 'behind' OR gates.moved THEN NULL ELSE p.attachment_id END AS attachment_id,
        doom.canceled, parent.root_id,
        coalesce((p.rest->>'behind')::boolean, false) AS behind,
        coalesce((p.rest->>'startTime')::timestamptz,
          now() + (p.rest->>'delayMs')::float8 * interval '1 ms') AS due
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[],
        $7::uuid[], $8::bytea[], $9::text[], $10::boolean[], $11::jsonb[])
        AS p(id, namespace, method, owner, state, lane, attachment_id, params, traceparent,
          id_is_request_id, rest)
      LEFT JOIN parent ON parent.id = (p.rest->>'parentId')::uuid AND parent.namespace = p.namespace
        AND (parent.owner = p.owner OR (p.rest->>'admin')::boolean)
      CROSS JOIN (SELECT ${gatesMoved('$13')} AS moved) gates
      CROSS JOIN LATERAL (SELECT coalesce(parent.canceled
        AND (parent.cascade OR (p.rest->'options'->>'cancelWithParent')::boolean), false) AS canceled) doom
      WHERE (p.rest->>'parentId' IS NULL OR parent.id IS NOT NULL)
        AND (p.rest->>'key' IS NULL OR p.rest ? 'behind' OR NOT EXISTS (
          SELECT FROM offstage.jobs waiting
          WHERE waiting.namespace = p.namespace AND waiting.method = p.method
            AND waiting.key = p.rest->>'key' AND waiting.state = ${JobState.scheduled} AND waiting.behind_key))
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
  gateEpoch: number | undefined,
  behindKey = false,
): Promise<Map<string, JobState>> {
  const columns = columnsOf(jobs)
  const rests = jobs.map((job) => restOf(job.id, job.command, behindKey))
  const plain = rests.every((rest) => rest === null)
  if (plain && (await insertPlain(database, [...columns, gateEpoch]))) {
    return new Map(jobs.map((job) => [job.id, firstState(job)]))
  }
  const parents = new Set(jobs.map(({ command }) => command.parentId))
  parents.delete('')
  const { rows } = await database.query<InsertedRow>(INSERT, [
    ...columns,
    rests,
    [...parents],
    gateEpoch,
  ])
  return new Map(rows.map((row) => [row.id, row.state]))
}

/** The columns every start has, one array each. */
function columnsOf(jobs: readonly NewJob[]): unknown[][] {
  return [
    jobs.map((job) => job.id),
    jobs.map((job) => job.command.namespace),
    jobs.map((job) => job.command.method),
    jobs.map((job) => job.command.owner),
    jobs.map(firstState),
    jobs.map((job) => job.lane),
    jobs.map((job) => job.attachmentId ?? null),
    jobs.map((job) => job.command.params.inline ?? null),
    jobs.map((job) => job.command.traceparent || null),
    jobs.map((job) => job.command.requestId === job.id),
  ]
}

function firstState({ attachmentId }: NewJob): JobState {
  return attachmentId === undefined ? BIRTHS.queued : BIRTHS.atOnce
}

/** False when one of the ids exists already, or the gates have changed: then none was inserted. */
async function insertPlain(database: Queryable, values: unknown[]): Promise<boolean> {
  try {
    const { rowCount } = await database.query(INSERT_PLAIN, values)
    return rowCount > 0
  } catch (error) {
    if (sqlStateOf(error) === '23505') return false
    throw error
  }
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
    command.kind === JobKind.program &&
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
    admin: (command.parentId !== '' && command.admin) || undefined,
    paramsAddress: params.address,
    paramsType: params.type || undefined,
    paramsSha256: params.sha256 && Buffer.from(params.sha256).toString('hex'),
    labels: command.labels,
    options: storedOptions(options),
    startTime: command.startTime,
    delayMs: command.delayMs || undefined,
    queueDeadlineMs: options?.queueDeadlineMs,
    behind: behind || undefined,
  })
}
