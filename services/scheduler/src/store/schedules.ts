/** Schedules as their owners and operators change them; what they do when they are due is in schedule-runs.ts. */
import type { Database, Queryable } from '@offstage/kit/database'
import type { ActBy, ActOutcome } from '../domain/act.ts'
import type { Schedule } from '../domain/schedule.ts'
import { WAITING_JOBS_MAX } from '../domain/schedule-run.ts'
import type { NewSchedule, ScheduleChange, ScheduleStore } from '../ports/schedules.ts'
import { recordAct, takeBackAct } from './acts.ts'
import { NO_TERMS, termsFromStored, termsToJson } from './schedule-codec.ts'
import { readWhatCan } from './stored-shape.ts'

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
    INSERT INTO offstage.schedules AS s (namespace, id, uid, owner, creator, roles, request_id, terms, predefined, due_time, wake_time, pause_reason)
    VALUES ($1, $2, $3::uuid, $4, $5, $6::text[], $7, $8::jsonb, $9, $10::timestamptz, $11::timestamptz, $12)
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

/** Each part stays as it is where its flag is not set. What is next was found out by the due time: one that has come since is not to come again. */
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
      AND (NOT $8 OR s.due_time IS NOT DISTINCT FROM $11::timestamptz)
    RETURNING ${SCHEDULE_COLUMNS}`,
}

const REMOVE = {
  name: 'remove_schedule',
  text: 'DELETE FROM offstage.schedules WHERE namespace = $1 AND id = $2 AND uid = $3::uuid',
}

/** SQL for the jobs of a schedule `s` that had not ended and others, each once; the newest so many. */
const WITH_JOBS = (ids: string) => `(
  SELECT coalesce(array_agg(n.id ORDER BY n.place), '{}') FROM (
    SELECT u.id, min(u.place) AS place FROM unnest(s.open_jobs || ${ids}) WITH ORDINALITY AS u(id, place)
    GROUP BY u.id ORDER BY place DESC LIMIT ${WAITING_JOBS_MAX}) n)`

const EXPECT_JOB = {
  name: 'expect_job_of_schedule',
  text: `
    UPDATE offstage.schedules s SET open_jobs = ${WITH_JOBS('$4::uuid')}
    WHERE s.namespace = $1 AND s.id = $2 AND s.uid = $3::uuid`,
}

const NOTE_JOBS = {
  name: 'note_jobs_of_schedule',
  text: `
    UPDATE offstage.schedules s SET open_jobs = ${WITH_JOBS('$4::uuid[]')},
      last_job_id = coalesce(($4::uuid[])[cardinality($4::uuid[])], s.last_job_id)
    WHERE s.namespace = $1 AND s.id = $2 AND s.uid = $3::uuid`,
}

/** Of those declared in code the namespace has also those that are removed. */
const FIND_FULL = {
  name: 'find_full_of_schedules',
  text: `
    SELECT CASE
      WHEN EXISTS (SELECT FROM offstage.schedules WHERE namespace = $1 OFFSET $3::int - 1)
        OR EXISTS (SELECT FROM offstage.declared_schedules WHERE namespace = $1 OFFSET $3::int - 1) THEN 'namespace'
      WHEN EXISTS (SELECT FROM offstage.schedules WHERE namespace = $1 AND owner = $2 OFFSET $4::int - 1) THEN 'owner'
    END AS full`,
}

export function createScheduleStore(database: Database): ScheduleStore {
  return {
    async now() {
      const { rows } = await database.query<{ now: Date }>(NOW)
      return rows[0]?.now ?? new Date(Number.NaN)
    },
    async findFull({ namespace, owner }, max) {
      type Row = { full: 'namespace' | 'owner' | null }
      const values = [namespace, owner, max.namespace, max.owner]
      return (await database.query<Row>(FIND_FULL, values)).rows[0]?.full ?? undefined
    },
    create: (schedule) => createSchedule(database, schedule),
    read: (namespace, id, owner) => readSchedule(database, namespace, id, owner),
    findByRequest: (namespace, owner, requestId) =>
      first(database, FIND_BY_REQUEST, [namespace, owner, requestId]),
    async list(namespace, owner, { size, after }) {
      const statement = owner === undefined ? LIST : LIST_OF_OWNER
      const values = [namespace, owner ?? null, after, size]
      return (await database.query<ScheduleRow>(statement, values)).rows.map(scheduleFromRow)
    },
    change: (schedule, change, by) =>
      database.transaction((tx) => changeSchedule(tx, schedule, change, by)),
    remove: (schedule, by) => database.transaction((tx) => removeSchedule(tx, schedule, by)),
    expectJob: (schedule, jobId) => expectJob(database, schedule, jobId),
    expectTrigger: (schedule, jobId, by) =>
      database.transaction(async (tx) => {
        if (jobId !== undefined) await expectJob(tx, schedule, jobId)
        return recordOnOthers(tx, schedule, by)
      }),
    noteJob: (schedule, jobId) => noteJobs(database, schedule, [jobId]),
    takeBackAct: (act) => takeBackAct(database, act),
  }
}

async function first(database: Queryable, statement: typeof READ, values: readonly unknown[]) {
  const { rows } = await database.query<ScheduleRow>(statement, values)
  return rows[0] && scheduleFromRow(rows[0])
}

export function readSchedule(
  database: Queryable,
  namespace: string,
  id: string,
  owner: string | undefined,
) {
  return first(database, READ, [namespace, id, owner ?? null])
}

export function createSchedule(database: Queryable, schedule: NewSchedule) {
  return first(database, CREATE, createValues(schedule))
}

export async function changeSchedule(
  tx: Queryable,
  schedule: Schedule,
  change: ScheduleChange,
  by: ActBy,
): Promise<Schedule | undefined> {
  const changed = await first(tx, CHANGE, changeValues(schedule, change))
  if (changed !== undefined) await recordOnOthers(tx, schedule, by)
  return changed
}

export async function removeSchedule(tx: Queryable, schedule: Schedule, by: ActBy): Promise<void> {
  const { namespace, id, uid } = schedule
  const { rowCount } = await tx.query(REMOVE, [namespace, id, uid])
  if (rowCount > 0) await recordOnOthers(tx, schedule, by)
}

async function expectJob(
  database: Queryable,
  { namespace, id, uid }: Schedule,
  jobId: string,
): Promise<void> {
  await database.query(EXPECT_JOB, [namespace, id, uid, jobId])
}

/** Of these the last is the newest. */
export async function noteJobs(
  database: Queryable,
  { namespace, id, uid }: Schedule,
  jobIds: readonly string[],
): Promise<void> {
  await database.query(NOTE_JOBS, [namespace, id, uid, jobIds])
}

function createValues(schedule: NewSchedule): unknown[] {
  const { namespace, id, uid, owner, creator, roles, requestId, terms, predefined, next } = schedule
  return [
    ...[namespace, id, uid, owner, creator, roles, requestId || null, termsToJson(terms)],
    ...[predefined, next?.due ?? null, next?.wake ?? null, schedule.pauseReason ?? null],
  ]
}

function changeValues(
  { namespace, id, revision, dueTime }: Schedule,
  change: ScheduleChange,
): unknown[] {
  const { terms, roles, pauseReason, next } = change
  return [
    ...[namespace, id, revision, terms ? termsToJson(terms) : null, roles ?? null],
    ...[pauseReason !== undefined, pauseReason ?? null],
    ...[next !== undefined, next?.due ?? null, next?.wake ?? null, dueTime ?? null],
  ]
}

/** Within the transaction that changes something. The number of the act. */
export async function recordOnOthers(
  tx: Queryable,
  { namespace, id, owner }: Schedule,
  by: ActBy,
  outcome: ActOutcome = 'OK',
): Promise<number | undefined> {
  if (owner === by.user) return undefined
  return recordAct(tx, { by, namespace, targets: [id], owners: [owner], outcome })
}

/** One that cannot be read is told of without its terms. */
export function scheduleFromRow(row: ScheduleRow): Schedule {
  const faults: string[] = []
  const terms = readWhatCan(termsFromStored, row.terms, faults) ?? NO_TERMS
  return {
    namespace: row.namespace,
    id: row.id,
    uid: row.uid,
    owner: row.owner,
    creator: row.creator,
    roles: row.roles,
    requestId: row.request_id ?? '',
    revision: row.revision,
    terms,
    unreadable: faults[0],
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
