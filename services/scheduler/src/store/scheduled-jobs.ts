/** Jobs of due times, as they are recorded: as starts are, and what cannot be started as failed. */
import type { Queryable } from '@offstage/kit/database'
import type { ChangedJob, NewJob } from '../domain/held-job.ts'
import type { JobError } from '../domain/job.ts'
import { JobKind } from '../domain/job-kind.ts'
import { JobState } from '../domain/job-state.ts'
import type { PlannedJob } from '../ports/schedules.ts'
import { insertJobs } from './insert-jobs.ts'
import { errorToJson } from './job-error-codec.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'

/** What was never started keeps no key from others. */
const INSERT_FAILED = {
  name: 'insert_failed_jobs',
  text: `
    INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt, params, params_type, labels, finish_time, error)
    SELECT u.id, u.namespace, u.method, u.owner, ${JobState.failed}, u.lane, ${JobKind.scheduled}, 0, 0, u.params, u.params_type, u.labels, now(), u.error
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::bytea[], $7::text[], $8::jsonb[], $9::jsonb[])
      AS u(id, namespace, method, owner, lane, params, params_type, labels, error)
    ON CONFLICT DO NOTHING`,
}

const READ_CHANGED = {
  name: 'read_created_jobs',
  text: `SELECT ${CHANGED_COLUMNS} FROM offstage.jobs j WHERE j.id = ANY ($1::uuid[])`,
}

const KEY_TAKEN: JobError = {
  brief: 'The key of the job was held by another one at the due time.',
  detail: '',
  reason: 'JOB_KEY_TAKEN',
  retryable: false,
}

/** Those that were created; of those that are there already nothing is. */
export async function createScheduledJobs(
  tx: Queryable,
  planned: readonly PlannedJob[],
): Promise<ChangedJob[]> {
  const ids = planned.map(({ job }) => job.id)
  const before = new Set((await readChanged(tx, ids)).map(({ id }) => id))
  const open = planned.filter(({ job }) => !before.has(job.id))
  const failed = open.flatMap((each) => ('error' in each ? [each] : []))
  const startable = open.flatMap((each) => ('error' in each ? [] : [each]))
  const inserted = new Set<string>()
  const insert = async (jobs: readonly NewJob[], behind: boolean) => {
    if (jobs.length === 0) return
    for (const id of (await insertJobs(tx, jobs, undefined, behind)).keys()) inserted.add(id)
  }
  const jobsOf = (waits: boolean) =>
    startable.filter((each) => each.waits === waits).map(({ job }) => job)
  await insert(jobsOf(false), false)
  const inTheWay = jobsOf(false).filter(({ id }) => !inserted.has(id))
  const behind = inTheWay.filter(({ command }) => command.keyConflict === 'queue-behind')
  await insert([...jobsOf(true), ...behind], true)
  const refused = inTheWay.filter(({ command }) => command.keyConflict === 'refuse')
  await insertFailed(tx, [...failed, ...refused.map((job) => ({ job, error: KEY_TAKEN }))])
  return (await readChanged(tx, ids)).filter(({ id }) => !before.has(id))
}

async function insertFailed(
  tx: Queryable,
  failed: readonly { readonly job: NewJob; readonly error: JobError }[],
): Promise<void> {
  if (failed.length === 0) return
  const commands = failed.map(({ job }) => job.command)
  await tx.query(INSERT_FAILED, [
    failed.map(({ job }) => job.id),
    commands.map(({ namespace }) => namespace),
    commands.map(({ method }) => method),
    commands.map(({ owner }) => owner),
    commands.map(({ lane }) => lane),
    commands.map(({ params }) => params.inline ?? null),
    commands.map(({ params }) => params.type || null),
    commands.map(({ labels }) => JSON.stringify(labels)),
    failed.map(({ error }) => errorToJson(error)),
  ])
}

async function readChanged(tx: Queryable, ids: readonly string[]): Promise<ChangedJob[]> {
  const { rows } = await tx.query<ChangedRow>(READ_CHANGED, [ids])
  return rows.map(changedFromRow)
}
