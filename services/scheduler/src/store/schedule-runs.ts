/**
 * What schedules do when they are due (row K3): the jobs of the due times, and the next due time, in one transaction.
 *
 * Every replica looks for them. What is to be done is planned from rows as they were read; carried out is what is still so.
 *
 * Invariants:
 *  1. The jobs of a due time are created in the transaction that moves the schedule on: all of it happens, or nothing.
 *  2. Of replicas that have planned the same due time one goes on: the row is locked, and its due time looked at again.
 *  3. The id of a job follows from schedule and due time: even a due time that comes again has one job.
 */
import type { Database, Queryable } from '@offstage/kit/database'
import type { CanceledJob, ChangedJob } from '../domain/held-job.ts'
import type { JobState } from '../domain/job-state.ts'
import type { Schedule } from '../domain/schedule.ts'
import { NEXT_IS_DUE } from '../domain/schedule-run.ts'
import type {
  DueSchedule,
  PlannedJob,
  RunOutcome,
  ScheduleRun,
  ScheduleRunStore,
} from '../ports/schedules.ts'
import { cancelTrees } from './cancel-jobs.ts'
import { createScheduledJobs } from './scheduled-jobs.ts'
import {
  noteJobs,
  recordOnOthers,
  SCHEDULE_COLUMNS,
  type ScheduleRow,
  scheduleFromRow,
} from './schedules.ts'

const READ_DUE = {
  name: 'read_due_schedules',
  text: `
    SELECT now() AS now, s.*, (SELECT jsonb_agg(jsonb_build_object('id', j.id, 'state', j.state, 'reason', coalesce(j.error->>'reason', '')) ORDER BY u.place)
       FROM unnest(s.open_jobs) WITH ORDINALITY AS u(id, place) JOIN offstage.jobs j ON j.id = u.id) AS open
    FROM (SELECT ${SCHEDULE_COLUMNS} FROM offstage.schedules s WHERE s.wake_time <= now() ORDER BY s.wake_time LIMIT $1::int OFFSET $2::int) s`,
}

const HOLD = {
  name: 'hold_due_schedules',
  text: `
    SELECT u.place FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) WITH ORDINALITY
      AS u(namespace, id, revision, due_time, place)
    JOIN offstage.schedules s ON s.namespace = u.namespace AND s.id = u.id AND s.revision = u.revision AND s.due_time = u.due_time
    ORDER BY s.namespace, s.id FOR NO KEY UPDATE OF s SKIP LOCKED`,
}

const MOVE_ON = {
  name: 'move_schedules_on',
  text: `
    UPDATE offstage.schedules s SET due_time = u.due_time, wake_time = u.wake_time, failures_in_row = u.failures,
      last_due_time = coalesce(u.last_due_time, s.last_due_time), last_job_id = coalesce(u.last_job_id, s.last_job_id),
      open_jobs = string_to_array(u.open_jobs, ',')::uuid[],
      pause_reason = u.pause_reason, revision = s.revision + CASE WHEN u.pause_reason IS NULL THEN 0 ELSE 1 END
    FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::int[], $6::timestamptz[], $7::uuid[], $8::text[], $9::text[])
      AS u(namespace, id, due_time, wake_time, failures, last_due_time, last_job_id, open_jobs, pause_reason)
    WHERE s.namespace = u.namespace AND s.id = u.id`,
}

const untilNext = (which: string) => `
    SELECT (extract(epoch FROM min(s.wake_time) - clock_timestamp()) * 1000)::float8 AS ms
    FROM offstage.schedules s WHERE ${which}`
const UNTIL_NEXT = { name: 'until_next_schedule', text: untilNext('s.wake_time IS NOT NULL') }
const UNTIL_NEXT_AFTER = {
  name: 'until_next_schedule_after',
  text: untilNext('s.wake_time > $1::timestamptz'),
}

const LOCK = {
  name: 'lock_schedule',
  text: 'SELECT FROM offstage.schedules WHERE namespace = $1 AND id = $2 AND uid = $3::uuid FOR NO KEY UPDATE',
}

interface DueRow extends ScheduleRow {
  now: Date
  open: { id: string; state: JobState; reason: string }[] | null
}

export function createScheduleRunStore(database: Database): ScheduleRunStore {
  return {
    async readDue(limit, skip) {
      const { rows } = await database.query<DueRow>(READ_DUE, [limit, skip])
      const now = rows[0]?.now ?? new Date(0)
      return { now, count: rows.length, due: rows.flatMap(dueFromRow) }
    },
    carryOut: (runs, leaseMs) => database.transaction((tx) => carryOut(tx, runs, leaseMs)),
    async msUntilNext(after) {
      const { rows } = await (after === undefined
        ? database.query<{ ms: number | null }>(UNTIL_NEXT)
        : database.query<{ ms: number | null }>(UNTIL_NEXT_AFTER, [after]))
      return rows[0]?.ms ?? undefined
    },
    createJobs: (schedule, jobs, by) =>
      database.transaction(async (tx) => {
        const { namespace, id, uid } = schedule
        // Before its jobs, as where it goes on: neither waits for the other.
        const { rowCount } = await tx.query(LOCK, [namespace, id, uid])
        if (rowCount === 0) return undefined
        const created = await createScheduledJobs(tx, jobs)
        await noteJobs(tx, schedule, inOrder(jobs, created))
        await recordOnOthers(tx, schedule, by, created.length > 0 ? 'OK' : 'UNCHANGED')
        return created
      }),
  }
}

/** Ids of those that were created, as they were planned. */
function inOrder(planned: readonly PlannedJob[], created: readonly ChangedJob[]): string[] {
  const ids = new Set(created.map(({ id }) => id))
  return planned.map(({ job }) => job.id).filter((id) => ids.has(id))
}

/** One that a newer release has written is left to that. */
function dueFromRow(row: DueRow): DueSchedule[] {
  const schedule = scheduleFromRow(row)
  return schedule.unreadable === undefined ? [{ schedule, openJobs: row.open ?? [] }] : []
}

async function carryOut(
  tx: Queryable,
  runs: readonly ScheduleRun[],
  leaseMs: number,
): Promise<RunOutcome> {
  const { rows } = await tx.query<{ place: number }>(HOLD, [
    runs.map(({ schedule }) => schedule.namespace),
    runs.map(({ schedule }) => schedule.id),
    runs.map(({ schedule }) => schedule.revision),
    runs.map(({ schedule }) => schedule.dueTime),
  ])
  const held = rows.flatMap(({ place }) => runs[place - 1] ?? [])
  if (held.length === 0) return { done: [], created: [], canceled: [] }
  const canceled: CanceledJob[] = []
  for (const { schedule, cancels } of held) {
    if (cancels.length > 0) canceled.push(...(await cancel(tx, schedule, cancels, leaseMs)))
  }
  const created = await createScheduledJobs(
    tx,
    held.flatMap(({ jobs }) => jobs),
  )
  await tx.query(MOVE_ON, moveValues(held))
  const done = held.map(({ schedule: { namespace, id } }) => ({ namespace, id }))
  return { done, created, canceled }
}

function cancel(
  tx: Queryable,
  { namespace, owner }: Schedule,
  jobIds: readonly string[],
  leaseMs: number,
): Promise<CanceledJob[]> {
  const by = { user: owner, roles: [], peer: '', call: '' }
  const terms = { namespace, owner, by, ...NEXT_IS_DUE, leaseMs, cascade: false }
  return cancelTrees(tx, { ...terms, jobIds })
}

function moveValues(runs: readonly ScheduleRun[]): unknown[] {
  return [
    runs.map(({ schedule }) => schedule.namespace),
    runs.map(({ schedule }) => schedule.id),
    runs.map(({ next }) => next?.due ?? null),
    runs.map(({ next }) => next?.wake ?? null),
    runs.map(({ failuresInRow }) => failuresInRow),
    runs.map(({ lastDueTime }) => lastDueTime ?? null),
    runs.map(({ jobs }) => jobs.at(-1)?.job.id ?? null),
    runs.map(({ openJobs }) => openJobs.join(',')),
    runs.map(({ pauseReason }) => pauseReason ?? null),
  ]
}
