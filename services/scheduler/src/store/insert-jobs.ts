import { type Queryable, sqlStateOf } from '@offstage/kit/database'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { NewJob } from '../domain/held-job.ts'
import { JobKind } from '../domain/job-kind.ts'
import { BIRTHS, JobState } from '../domain/job-state.ts'
import { gatesMoved } from './gates.ts'
import { COMMON, firstState, RARE, restOf } from './start-columns.ts'

const NAMES = COMMON.map(({ column }) => column).join(', ')
const ARRAYS = COMMON.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ')
/** One of those after the arrays, from 1. */
const parameter = (place: number) => `$${COMMON.length + place}`
const RARE_COLUMNS = Object.values(RARE)

/** The attempt and its start. */
const BEGUN = `CASE WHEN u.attachment_id IS NULL THEN 0 ELSE 1 END,
      CASE WHEN u.attachment_id IS NULL THEN NULL ELSE now() END`

/**
 * The hot one: starts that give nothing but a method and parameters. It does not look for conflicts first, which would
 * cost a quarter more; where it meets one it changes nothing, and the batch goes through the careful statement. So it does
 * where jobs were to begin by gates that have changed.
 */
const INSERT_PLAIN = {
  name: 'insert_plain_jobs',
  text: `
    INSERT INTO offstage.jobs (${NAMES}, attempt, start_time, kind, priority)
    SELECT ${COMMON.map(({ column }) => `u.${column}`).join(', ')}, ${BEGUN},
      ${JobKind.program}, 0
    FROM unnest(${ARRAYS}) AS u(${NAMES})
    WHERE NOT ${gatesMoved(parameter(1))}`,
}

const STATE = `
      CASE WHEN u.canceled THEN ${BIRTHS.doomed}
        WHEN u.due > now() OR u.behind THEN ${BIRTHS.later}
        WHEN u.attachment_id IS NULL THEN ${BIRTHS.queued} ELSE u.state END`
/** What a job of the product itself starts is the product’s own (row J12). */
const KIND = `
      CASE WHEN u.parent_kind = ${JobKind.system} THEN u.parent_kind ELSE ${RARE.kind.sql('u.rest')} END`
const ATTACHMENT = `
        CASE WHEN doom.canceled OR p.rest ? 'behind' OR gates.moved THEN NULL ELSE p.attachment_id END AS attachment_id`

/**
 * What most starts do not give travels in one nullable JSON column, so that a plain start costs no array element for any
 * of it. Ids, request ids and keys that exist already make a row vanish from the answer, and so do a key
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
      SELECT j.id, coalesce(j.root_id, j.id) AS root_id, j.namespace, j.owner, j.cancel_time IS NOT NULL AS canceled, j.cancel_cascade AS cascade, j.kind
      FROM offstage.jobs j WHERE j.id = ANY (${parameter(2)}::uuid[])
      ORDER BY j.id FOR SHARE
    )
    INSERT INTO offstage.jobs (
      ${NAMES}, attempt, start_time, ${RARE_COLUMNS.map(({ column }) => column).join(', ')},
      root_id, due_time, queue_deadline, total_deadline, behind_key, finish_time, cancel_time, cancel_outcome)
    SELECT ${COMMON.map(({ column }) => (column === 'state' ? STATE : `u.${column}`)).join(', ')}, ${BEGUN},
      ${RARE_COLUMNS.map(({ column, sql }) => (column === 'kind' ? KIND : sql('u.rest'))).join(', ')},
      u.root_id, u.due, now() + (u.rest->>'queueDeadlineMs')::float8 * interval '1 ms',
      now() + (u.rest->>'totalDeadlineMs')::float8 * interval '1 ms', u.behind,
      CASE WHEN u.canceled THEN now() END, CASE WHEN u.canceled THEN now() END,
      CASE WHEN u.canceled THEN ${CancelOutcome.neverStarted} ELSE ${CancelOutcome.unknown} END
    FROM (
      SELECT ${COMMON.map(({ column }) => (column === 'attachment_id' ? ATTACHMENT : `p.${column}`)).join(', ')},
        p.rest, doom.canceled, parent.root_id, parent.kind AS parent_kind,
        coalesce((p.rest->>'behind')::boolean, false) AS behind,
        coalesce((p.rest->>'startTime')::timestamptz,
          now() + (p.rest->>'delayMs')::float8 * interval '1 ms') AS due
      FROM unnest(${ARRAYS}, ${parameter(1)}::jsonb[]) AS p(${NAMES}, rest)
      LEFT JOIN parent ON parent.id = (p.rest->>'parentId')::uuid AND parent.namespace = p.namespace
        AND (parent.owner = p.owner OR (p.rest->>'admin')::boolean)
      CROSS JOIN (SELECT ${gatesMoved(parameter(3))} AS moved) gates
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
  const columns = COMMON.map(({ of }) => jobs.map(of))
  const rests = jobs.map((job) => restOf(job, behindKey))
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
