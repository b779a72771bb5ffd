import type { Queryable } from '@offstage/kit/database'
import type { Job } from '../domain/job.ts'
import type { JobState } from '../domain/job-state.ts'
import type { StartCommand } from '../domain/start-command.ts'
import { FULL_JOB_COLUMNS, type JobRow, jobFromRow } from './job-rows.ts'

const JOB = {
  name: 'read_job',
  text: `SELECT ${FULL_JOB_COLUMNS} FROM offstage.jobs j WHERE j.id = $2::uuid AND j.namespace = $1
    AND ($3::text IS NULL OR j.owner = $3)`,
}

export async function readJob(
  database: Queryable,
  namespace: string,
  id: string,
  owner?: string,
): Promise<Job | undefined> {
  const { rows } = await database.query<JobRow>(JOB, [namespace, id, owner ?? null])
  return rows[0] && jobFromRow(rows[0])
}

const TAKEN_IDS = {
  name: 'find_taken_job_ids',
  text: 'SELECT j.id FROM unnest($1::uuid[]) AS u(id) JOIN offstage.jobs j USING (id)',
}

export async function takenIds(
  database: Queryable,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await database.query<{ id: string }>(TAKEN_IDS, [ids])
  return new Set(rows.map(({ id }) => id))
}

const PARENT_STATES = {
  name: 'read_parent_states',
  text: `
    SELECT (
      SELECT j.state FROM offstage.jobs j
      WHERE j.id = u.id AND j.namespace = u.namespace AND (u.owner IS NULL OR j.owner = u.owner)) AS state
    FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS u(id, namespace, owner, place)
    ORDER BY u.place`,
}

export async function readParentStates(
  database: Queryable,
  starts: readonly StartCommand[],
): Promise<(JobState | undefined)[]> {
  const { rows } = await database.query<{ state: JobState | null }>(PARENT_STATES, [
    starts.map(({ parentId }) => parentId),
    starts.map(({ namespace }) => namespace),
    starts.map(({ admin, owner }) => (admin ? null : owner)),
  ])
  return rows.map(({ state }) => state ?? undefined)
}

const IS_BELOW = {
  name: 'is_below',
  text: `
    WITH RECURSIVE up AS (
      SELECT j.parent_id FROM offstage.jobs j
      WHERE j.id = $2::uuid AND j.namespace = $1 AND ($4::text IS NULL OR j.owner = $4)
      UNION ALL
      SELECT j.parent_id FROM up JOIN offstage.jobs j ON j.id = up.parent_id WHERE up.parent_id <> $3::uuid
    )
    SELECT FROM up WHERE up.parent_id = $3::uuid`,
}

export async function isBelow(
  database: Queryable,
  { parentId, namespace, owner, admin }: StartCommand,
  ancestorId: string,
): Promise<boolean> {
  const values = [namespace, parentId, ancestorId, admin ? null : owner]
  const { rows } = await database.query(IS_BELOW, values)
  return rows.length > 0
}
