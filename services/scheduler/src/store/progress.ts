/**
 * Progress and messages of running attempts (row J15), fenced like every word of an executor. The rows of their jobs are held
 * against being removed meanwhile: nothing is left of a job that is gone.
 */
import type { Queryable } from '@offstage/kit/database'
import type { AttemptKey, MessageRecord, ProgressRecord } from '../domain/held-job.ts'
import type { JobMessage, Progress } from '../domain/job.ts'
import { leaving } from '../domain/job-state.ts'
import type { Severity } from '../domain/severity.ts'
import type { Payload } from '../domain/start-command.ts'
import { FENCE } from './end-attempts.ts'

const HELD = `${FENCE} AND ${leaving('fail', 'j.state')}`

const RECORD_PROGRESS = {
  name: 'record_progress',
  text: `
    INSERT INTO offstage.job_progress AS p (job_id, revision, percent, text, extra, heartbeat_data, heartbeat_type)
    SELECT u.id, CASE WHEN u.percent IS NULL THEN 0 ELSE 1 END, coalesce(u.percent, 0), coalesce(u.text, ''), u.extra,
      u.heartbeat_data, u.heartbeat_type
    FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::float8[], $5::text[], $6::jsonb[], $7::bytea[], $8::text[])
      AS u(id, attachment_id, attempt, percent, text, extra, heartbeat_data, heartbeat_type)
    JOIN offstage.jobs j ON ${HELD}
    FOR KEY SHARE OF j
    ON CONFLICT (job_id) DO UPDATE SET revision = p.revision + excluded.revision,
      percent = CASE excluded.revision WHEN 0 THEN p.percent ELSE excluded.percent END,
      text = CASE excluded.revision WHEN 0 THEN p.text ELSE excluded.text END,
      extra = CASE excluded.revision WHEN 0 THEN p.extra ELSE excluded.extra END,
      record_time = CASE excluded.revision WHEN 0 THEN p.record_time ELSE now() END,
      heartbeat_data = coalesce(excluded.heartbeat_data, p.heartbeat_data),
      heartbeat_type = CASE WHEN excluded.heartbeat_data IS NULL THEN p.heartbeat_type ELSE excluded.heartbeat_type END`,
}

/** The newest of each job; a statement may touch a row once. */
export async function recordProgress(
  database: Queryable,
  records: readonly ProgressRecord[],
): Promise<void> {
  const newest = newestOf(records)
  await database.query(RECORD_PROGRESS, [
    ...keyColumns(newest),
    newest.map(({ progress }) => progress?.percent ?? null),
    newest.map(({ progress }) => progress?.text ?? null),
    newest.map(({ progress }) => jsonOf(progress?.extra)),
    newest.map(({ heartbeatData }) => heartbeatData?.inline ?? null),
    newest.map(({ heartbeatData }) => heartbeatData?.type || null),
  ])
}

/** Progress and data are told apart, each by the newest word of it. */
function newestOf(records: readonly ProgressRecord[]): ProgressRecord[] {
  const newest = new Map<string, ProgressRecord>()
  for (const record of records) {
    const before = newest.get(record.jobId)
    const isSame = before?.attempt === record.attempt
    newest.set(record.jobId, {
      ...record,
      progress: record.progress ?? (isSame ? before.progress : undefined),
      heartbeatData: record.heartbeatData ?? (isSame ? before.heartbeatData : undefined),
    })
  }
  return [...newest.values()]
}

/**
 * Sequence numbers have no gaps: what was recorded before is left out before numbering. Where each job's go on is looked up
 * once, before anything is inserted: looked up for each message, it would be searched for behind all those before it.
 */
const RECORD_MESSAGES = {
  name: 'record_messages',
  text: `
    WITH heads AS MATERIALIZED (
      SELECT given.id,
        coalesce((SELECT max(m.sequence) FROM offstage.job_messages m WHERE m.job_id = given.id), 0) AS sequence
      FROM (SELECT DISTINCT id FROM unnest($1::uuid[]) AS id) given
    ), held AS MATERIALIZED (
      SELECT u.* FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::smallint[], $6::text[], $7::jsonb[])
        AS u(id, attachment_id, attempt, number, severity, text, extra)
      JOIN offstage.jobs j ON ${HELD}
      FOR KEY SHARE OF j
    )
    INSERT INTO offstage.job_messages (job_id, sequence, attempt, number, severity, text, extra)
    SELECT u.id, heads.sequence + row_number() OVER (PARTITION BY u.id ORDER BY u.number),
      u.attempt, u.number, u.severity, u.text, u.extra
    FROM held u
    JOIN heads ON heads.id = u.id
    WHERE NOT EXISTS (SELECT FROM offstage.job_messages m
      WHERE m.job_id = u.id AND m.attempt = u.attempt AND m.number = u.number)`,
}

export async function recordMessages(
  database: Queryable,
  records: readonly MessageRecord[],
): Promise<void> {
  const unique = [
    ...new Map(records.map((m) => [`${m.jobId} ${m.attempt} ${m.number}`, m])).values(),
  ]
  await database.query(RECORD_MESSAGES, [
    ...keyColumns(unique),
    unique.map((record) => record.number),
    unique.map((record) => record.severity),
    unique.map((record) => record.text),
    unique.map((record) => jsonOf(record.extra)),
  ])
}

const READ_PROGRESS = {
  name: 'read_progress',
  text: `
    SELECT job_id, revision, percent, text, extra FROM offstage.job_progress
    WHERE job_id = ANY ($1::uuid[]) AND revision > 0`,
}

interface ProgressRow {
  job_id: string
  revision: number
  percent: number
  text: string
  extra: Record<string, unknown> | null
}

export async function readProgress(
  database: Queryable,
  ids: readonly string[],
): Promise<Map<string, Progress>> {
  const { rows } = await database.query<ProgressRow>(READ_PROGRESS, [ids])
  return new Map(
    rows.map(({ job_id, revision, percent, text, extra }) => [
      job_id,
      { revision, percent, text, extra: extra ?? undefined },
    ]),
  )
}

const READ_HEARTBEATS = {
  name: 'read_heartbeats',
  text: `
    SELECT job_id, heartbeat_data, heartbeat_type FROM offstage.job_progress
    WHERE job_id = ANY ($1::uuid[]) AND heartbeat_data IS NOT NULL`,
}

/** What the attempts of each job said last for the next one. */
export async function readHeartbeats(
  database: Queryable,
  ids: readonly string[],
): Promise<Map<string, Payload>> {
  const { rows } = await database.query<{
    job_id: string
    heartbeat_data: Uint8Array
    heartbeat_type: string | null
  }>(READ_HEARTBEATS, [ids])
  return new Map(
    rows.map(({ job_id, heartbeat_data, heartbeat_type }) => [
      job_id,
      { inline: heartbeat_data, type: heartbeat_type ?? '' },
    ]),
  )
}

const READ_MESSAGES = {
  name: 'read_messages',
  text: `
    SELECT sequence, record_time, severity, text, extra FROM offstage.job_messages
    WHERE job_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3::int`,
}

interface MessageRow {
  sequence: number
  record_time: Date
  severity: Severity
  text: string
  extra: Record<string, unknown> | null
}

export async function readMessages(
  database: Queryable,
  id: string,
  afterSequence: number,
  limit: number,
): Promise<JobMessage[]> {
  const { rows } = await database.query<MessageRow>(READ_MESSAGES, [id, afterSequence, limit])
  return rows.map(({ sequence, record_time, severity, text, extra }) => ({
    sequence,
    recordTime: record_time,
    severity,
    text,
    extra: extra ?? undefined,
  }))
}

function keyColumns(records: readonly AttemptKey[]): unknown[] {
  return [
    records.map((record) => record.jobId),
    records.map((record) => record.attachmentId),
    records.map((record) => record.attempt),
  ]
}

/** As JSON without the one character jsonb cannot hold; pairs of backslashes are passed over. */
function jsonOf(extra: Record<string, unknown> | undefined): string | null {
  if (extra === undefined) return null
  return JSON.stringify(extra).replace(
    /(\\\\)|\\u0000/g,
    (_, pair: string | undefined) => pair ?? '',
  )
}
