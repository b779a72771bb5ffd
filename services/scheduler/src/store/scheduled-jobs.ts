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
    INSERT INTO offstage.jobs AS j (id, namespace, method, owner, state, lane, kind, priority, attempt, params, params_type, labels, finish_time, error)
    SELECT u.id, u.namespace, u.method, u.owner, ${JobState.failed}, u.lane, ${JobKind.scheduled}, 0, 0, u.params, u.params_type, u.labels, now(), u.error
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::bytea[], $7::text[], $8::jsonb[], $9::jsonb[])
      AS u(id, namespace, method, owner, lane, params, params_type, labels, error)
    ON CONFLICT DO NOTHING
    RETURNING ${CHANGED_COLUMNS}`,
}

const READ_IDS = {
  name: 'read_ids_of_jobs',
  text: 'SELECT j.id FROM offstage.jobs j WHERE j.id = ANY ($1::uuid[])',
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
  const failed = planned.flatMap((each) => ('error' in each ? [each] : []))
  const startable = planned.flatMap((each) => ('error' in each ? [] : [each]))
  const created: ChangedJob[] = []
  const insert = async (jobs: readonly NewJob[], behind: boolean) => {
    if (jobs.length === 0) return
    const states = await insertJobs(tx, jobs, undefined, behind)
    for (const job of jobs) {
      const state = states.get(job.id)
      if (state !== undefined) created.push(changedFrom(job, state))
    }
  }
  const jobsOf = (waits: boolean) =>
    startable.filter((each) => each.waits === waits).map(({ job }) => job)
  await insert(jobsOf(false), false)
  const inTheWay = await readInTheWay(tx, jobsOf(false), created)
  const behind = inTheWay.filter(({ command }) => command.keyConflict === 'queue-behind')
  await insert([...jobsOf(true), ...behind], true)
  const refused = inTheWay.filter(({ command }) => command.keyConflict === 'refuse')
  const toFail = [...failed, ...refused.map((job) => ({ job, error: KEY_TAKEN }))]
  created.push(...(await insertFailed(tx, toFail)))
  return created
}

/** Those whose key is held; the others were there already. */
async function readInTheWay(
  tx: Queryable,
  jobs: readonly NewJob[],
  created: readonly ChangedJob[],
): Promise<readonly NewJob[]> {
  if (created.length === jobs.length) return []
  const done = new Set(created.map(({ id }) => id))
  const missing = jobs.filter(({ id }) => !done.has(id))
  const there = await tx.query<{ id: string }>(READ_IDS, [missing.map(({ id }) => id)])
  const known = new Set(there.rows.map(({ id }) => id))
  return missing.filter(({ id }) => !known.has(id))
}

function changedFrom({ id, command }: NewJob, state: JobState): ChangedJob {
  const { namespace, owner, method, key, traceparent } = command
  return { id, namespace, owner, method, key, traceparent, state, completion: undefined }
}

async function insertFailed(
  tx: Queryable,
  failed: readonly { readonly job: NewJob; readonly error: JobError }[],
): Promise<ChangedJob[]> {
  if (failed.length === 0) return []
  const commands = failed.map(({ job }) => job.command)
  const { rows } = await tx.query<ChangedRow>(INSERT_FAILED, [
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
  return rows.map(changedFromRow)
}
