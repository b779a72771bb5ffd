/** Schedules as their owners and operators change them; what they do when they are due is in schedule-runs.ts. */
import type { Database, Queryable } from '@offstage/kit/database'
import type { ActBy, ActOutcome } from '../domain/act.ts'
import type { Schedule } from '../domain/schedule.ts'
import type { NewSchedule, ScheduleChange, ScheduleStore } from '../ports/schedules.ts'
import { recordAct } from './acts.ts'
import { termsFromStored, termsToJson } from './schedule-codec.ts'

export const SCHEDULE_COLUMNS = `s.namespace, s.id, s.uid, s.owner, s.creator, s.roles, s.request_id, s.revision, s.terms, s.predefined,
  s.pause_reason, s.due_time, s.last_due_time, s.last_job_id, s.open_jobs, s.failures_in_row, s.create_time, s.update_time`

export interface ScheduleRow {
  namespace: string
  id: string
  uid: string
  owner: string
  creator: string
  roles: string[]
  request_id: string | null
  revision: number
  terms: unknown
  predefined: boolean
  pause_reason: string | null
  due_time: Date | null
  last_due_time: Date | null
  last_job_id: string | null
  open_jobs: string[]
  failures_in_row: number
  create_time: Date
  update_time: Date
}

const NOW = { name: 'read_clock', text: 'SELECT now() AS now' }

const CREATE = {
  name: 'create_schedule',
  text: `
    INSERT INTO offstage.schedules AS s (namespace, id, uid, owner, creator, roles, request_id, terms, predefined, due_time, wake_time)
    VALUES ($1, $2, $3::uuid, $4, $5, $6::text[], $7, $8::jsonb, $9, $10::timestamptz, $11::timestamptz)
    ON CONFLICT DO NOTHING
    RETURNING ${SCHEDULE_COLUMNS}`,
}

const READ = {
  name: 'read_schedule',
  text: `SELECT ${SCHEDULE_COLUMNS} FROM offstage.schedules s
    WHERE s.namespace = $1 AND s.id = $2 AND ($3::text IS NULL OR s.owner = $3)`,
}

const FIND_BY_REQUEST = {
  name: 'find_schedule_by_request',
  text: `SELECT ${SCHEDULE_COLUMNS} FROM offstage.schedules s
    WHERE s.namespace = $1 AND s.owner = $2 AND s.request_id = $3`,
}

const list = (which: string) => `
  SELECT ${SCHEDULE_COLUMNS} FROM offstage.schedules s
  WHERE s.namespace = $1 AND ${which} AND s.id > $3
  ORDER BY s.id LIMIT $4::int`
const LIST = { name: 'list_schedules', text: list('$2::text IS NULL') }
const LIST_OF_OWNER = { name: 'list_schedules_of_owner', text: list('s.owner = $2') }

/** Each part stays as it is where its flag is not set. */
const CHANGE = {
  name: 'change_schedule',
  text: `
    UPDATE offstage.schedules s SET revision = s.revision + 1, update_time = now(),
      terms = coalesce($4::jsonb, s.terms), roles = coalesce($5::text[], s.roles),
      failures_in_row = CASE WHEN $6 THEN 0 ELSE s.failures_in_row END,
      pause_reason = CASE WHEN $6 THEN $7 ELSE s.pause_reason END,
      due_time = CASE WHEN $8 THEN $9::timestamptz ELSE s.due_time END,
      wake_time = CASE WHEN $8 THEN $10::timestamptz ELSE s.wake_time END
    WHERE s.namespace = $1 AND s.id = $2 AND s.revision = $3::bigint
    RETURNING ${SCHEDULE_COLUMNS}`,
}

const REMOVE = {
  name: 'remove_schedule',
  text: 'DELETE FROM offstage.schedules WHERE namespace = $1 AND id = $2 AND uid = $3::uuid',
}

const NOTE_JOB = {
  name: 'note_job_of_schedule',
  text: `
    UPDATE offstage.schedules s SET last_job_id = $4::uuid, open_jobs = s.open_jobs || $4::uuid
    WHERE s.namespace = $1 AND s.id = $2 AND s.uid = $3::uuid AND $4::uuid <> ALL (s.open_jobs)`,
}

export function createScheduleStore(database: Database): ScheduleStore {
  const first = async (statement: typeof READ, values: readonly unknown[]) => {
    const { rows } = await database.query<ScheduleRow>(statement, values)
    return rows[0] && scheduleFromRow(rows[0])
  }
  return {
    async now() {
      const { rows } = await database.query<{ now: Date }>(NOW)
      return rows[0]?.now ?? new Date(Number.NaN)
    },
    create: (schedule) => first(CREATE, createValues(schedule)),
    read: (namespace, id, owner) => first(READ, [namespace, id, owner ?? null]),
    findByRequest: (namespace, owner, requestId) =>
      first(FIND_BY_REQUEST, [namespace, owner, requestId]),
    async list(namespace, owner, { size, after }) {
      const statement = owner === undefined ? LIST : LIST_OF_OWNER
      const values = [namespace, owner ?? null, after, size]
      return (await database.query<ScheduleRow>(statement, values)).rows.map(scheduleFromRow)
    },
    change: (schedule, change, by) =>
      database.transaction(async (tx) => {
        const { rows } = await tx.query<ScheduleRow>(CHANGE, changeValues(schedule, change))
        if (rows[0] === undefined) return undefined
        await recordOnOthers(tx, schedule, by)
        return scheduleFromRow(rows[0])
      }),
    remove: (schedule, by) =>
      database.transaction(async (tx) => {
        const { namespace, id, uid } = schedule
        const { rowCount } = await tx.query(REMOVE, [namespace, id, uid])
        if (rowCount > 0) await recordOnOthers(tx, schedule, by)
      }),
    noteJob: (schedule, jobId, by) =>
      database.transaction(async (tx) => {
        const { namespace, id, uid } = schedule
        await tx.query(NOTE_JOB, [namespace, id, uid, jobId])
        await recordOnOthers(tx, schedule, by)
      }),
  }
}

function createValues(schedule: NewSchedule): unknown[] {
  const { namespace, id, uid, owner, creator, roles, requestId, terms, predefined, next } = schedule
  return [
    ...[namespace, id, uid, owner, creator, roles, requestId || null, termsToJson(terms)],
    ...[predefined, next?.due ?? null, next?.wake ?? null],
  ]
}

function changeValues({ namespace, id, revision }: Schedule, change: ScheduleChange): unknown[] {
  const { terms, roles, pauseReason, next } = change
  return [
    ...[namespace, id, revision, terms ? termsToJson(terms) : null, roles ?? null],
    ...[pauseReason !== undefined, pauseReason ?? null],
    ...[next !== undefined, next?.due ?? null, next?.wake ?? null],
  ]
}

/** Within the transaction that changes something. */
export async function recordOnOthers(
  tx: Queryable,
  { namespace, id, owner }: Schedule,
  by: ActBy,
  outcome: ActOutcome = 'OK',
): Promise<void> {
  if (owner === by.user) return
  await recordAct(tx, { by, namespace, targets: [id], owners: [owner], outcome })
}

export function scheduleFromRow(row: ScheduleRow): Schedule {
  return {
    namespace: row.namespace,
    id: row.id,
    uid: row.uid,
    owner: row.owner,
    creator: row.creator,
    roles: row.roles,
    requestId: row.request_id ?? '',
    revision: row.revision,
    terms: termsFromStored(row.terms),
    predefined: row.predefined,
    pauseReason: row.pause_reason ?? undefined,
    dueTime: row.due_time ?? undefined,
    lastDueTime: row.last_due_time ?? undefined,
    lastJobId: row.last_job_id ?? '',
    failuresInRow: row.failures_in_row,
    openJobs: row.open_jobs,
    createTime: row.create_time,
    updateTime: row.update_time,
  }
}
