import type { Queryable } from '@offstage/kit/database'
import type { ExistingJob, NewJob } from '../domain/held-job.ts'
import type { Job } from '../domain/job.ts'
import { JobState } from '../domain/job-state.ts'
import type { Payload, StartCommand } from '../domain/start-command.ts'
import {
  FULL_JOB_COLUMNS,
  type JobRow,
  jobFromRow,
  STANDING_COLUMNS,
  type StandingRow,
  standingFromRow,
} from './job-rows.ts'

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

/**
 * Four index look-ups: the id and the request id, if they are the owner's own, the unfinished holder of the key, and, while the key passes from one to the
 * next, who takes it then.
 */
const EXISTING = {
  name: 'find_existing_job',
  text: `
    SELECT ${STANDING_COLUMNS}, j.method, j.key, j.params, j.params_address, j.params_type, j.params_sha256, found.by,
      extract(epoch FROM now() - j.create_time)::float8 * 1000 AS age_ms
    FROM (
      SELECT id, 'request-id' AS by, 1 AS rank FROM offstage.jobs
      WHERE id = $1::uuid AND namespace = $2 AND owner = $6
      UNION ALL
      SELECT id, 'request-id', 1 FROM offstage.jobs WHERE namespace = $2 AND owner = $6 AND request_id = $3::text
      UNION ALL
      SELECT id, 'key', 2 FROM offstage.jobs
      WHERE namespace = $2 AND method = $4 AND key = $5::text AND state < ${JobState.succeeded} AND NOT behind_key
      UNION ALL
      (SELECT id, 'key', 3 FROM offstage.jobs
      WHERE namespace = $2 AND method = $4 AND key = $5::text AND state = ${JobState.scheduled} AND behind_key
      ORDER BY create_time, id LIMIT 1)
    ) found JOIN offstage.jobs j ON j.id = found.id
    ORDER BY found.rank LIMIT 1`,
}

interface ExistingRow extends StandingRow {
  method: string
  key: string | null
  params: Uint8Array | null
  params_address: string | null
  params_type: string | null
  params_sha256: Uint8Array | null
  by: ExistingJob['by']
  age_ms: number
}

export async function findExisting(
  database: Queryable,
  { id, command }: NewJob,
): Promise<ExistingJob | undefined> {
  const { rows } = await database.query<ExistingRow>(EXISTING, [
    id,
    command.namespace,
    command.requestId || null,
    command.method,
    command.key || null,
    command.owner,
  ])
  const row = rows[0]
  return (
    row && {
      ...standingFromRow(row),
      method: row.method,
      key: row.key ?? '',
      params: paramsFromRow(row),
      ageMs: row.age_ms,
      by: row.by,
    }
  )
}

function paramsFromRow(row: ExistingRow): Payload {
  return {
    inline: row.params ?? undefined,
    address: row.params_address ?? undefined,
    type: row.params_type ?? '',
    sha256: row.params_sha256 ?? undefined,
  }
}

const IS_ID_TAKEN = {
  name: 'is_job_id_taken',
  text: 'SELECT FROM offstage.jobs WHERE id = $1::uuid',
}

export async function isIdTaken(database: Queryable, id: string): Promise<boolean> {
  return (await database.query(IS_ID_TAKEN, [id])).rows.length > 0
}

const HAS_PARENT = {
  name: 'has_parent',
  text: `
    SELECT FROM offstage.jobs j
    WHERE j.id = $1::uuid AND j.namespace = $2 AND ($3::text IS NULL OR j.owner = $3)`,
}

export async function hasParent(
  database: Queryable,
  { parentId, namespace, owner, admin }: StartCommand,
): Promise<boolean> {
  const { rows } = await database.query(HAS_PARENT, [parentId, namespace, admin ? null : owner])
  return rows.length > 0
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
