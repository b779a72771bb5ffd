/**
 * The moves out of running and waiting, each fenced by (job, attachment, attempt): guarantee 2.
 *
 * Whatever waits for many rows locks them in the order of their ids, so that no two statements wait for each other.
 * Only sweeps and claims need not: they skip what is locked.
 */
import type { Queryable } from '@offstage/kit/database'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type {
  AttemptEnd,
  AttemptKey,
  AttemptSuccess,
  ChangedJob,
  SucceededAttempt,
} from '../domain/held-job.ts'
import { JobState, leaving, TRANSITIONS, type Transition } from '../domain/job-state.ts'
import { additionalToJson } from './additional-result-codec.ts'
import { HOLDER_COLUMN, keepingAttempts, STOPPED_IF_CANCELED } from './job-attempts.ts'
import { errorInSql, errorToJson } from './job-error-codec.ts'
import { type ChangedRow, changedFromRow } from './job-rows.ts'

/**
 * The attempt that is spoken of is the present one. IS TRUE keeps the planner away from the index on
 * attachments, through which it would read all an executor runs for each of its results.
 */
export const FENCE =
  'j.id = u.id AND (j.attachment_id = u.attachment_id) IS TRUE AND j.attempt = u.attempt'

/** The attempts of `given`, locked in order; with `columns` of it besides the id and the attachment. */
const heldAttempts = (given: string, move: Transition, columns = '') => `
      SELECT j.id, ${HOLDER_COLUMN}${columns} FROM ${given} JOIN offstage.jobs j ON ${FENCE}
      WHERE ${leaving(move, 'j.state')}
      ORDER BY j.id FOR NO KEY UPDATE OF j`

const KEYS = 'unnest($1::uuid[], $2::uuid[], $3::int[]) AS u(id, attachment_id, attempt)'

/**
 * The hot one: nothing but a small JSON result, or none. It goes through its rows in the order of the subselect, without a
 * step of its own for the locks, which would cost an eighth more. IS TRUE keeps the planner from reading all that runs
 * instead, in no order; where the table is so small that it is read whole, a deadlock is possible, and tried again. Parents of attached
 * children are left to the other one; by a condition that the planner, before it knows the table, does not take for a rare one.
 */
const SUCCEED = {
  name: 'succeed_attempts',
  text: `
    UPDATE offstage.jobs j
    SET state = ${TRANSITIONS.succeed.to}, revision = j.revision + 1, finish_time = now(),
      result = u.result, cancel_outcome = CASE WHEN j.cancel_time IS NULL THEN ${CancelOutcome.unknown} ELSE ${CancelOutcome.finishedAnyway} END
    FROM (
      SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bytea[])
        AS given(id, attachment_id, attempt, result)
      ORDER BY id
    ) u
    WHERE ${FENCE} AND (${leaving('succeed', 'j.state')}) IS TRUE AND (j.attached_count > 0) IS NOT TRUE
    RETURNING j.id, j.finish_time, j.cancel_outcome, j.attached_to`,
}

interface SucceededRow {
  id: string
  finish_time: Date
  cancel_outcome: CancelOutcome
  attached_to: string | null
}

export async function succeedAttempts(
  database: Queryable,
  successes: readonly AttemptSuccess[],
): Promise<Map<string, SucceededAttempt>> {
  const results = new Map(successes.map((success) => [success.jobId, success.result]))
  const { rows } = await database.query<SucceededRow>(SUCCEED, [
    ...keyColumns(successes),
    successes.map((success) => success.result ?? null),
  ])
  return new Map(rows.map((row) => [row.id, succeededFrom(row, results.get(row.id))]))
}

function succeededFrom(row: SucceededRow, result: Uint8Array | undefined): SucceededAttempt {
  return {
    state: JobState.succeeded,
    result: result === undefined ? undefined : { inline: result, type: '' },
    additionalResult: undefined,
    error: undefined,
    cancelOutcome: row.cancel_outcome,
    finishTime: row.finish_time,
    attachedTo: row.attached_to ?? undefined,
  }
}

const END_COLUMNS =
  ', u.state, u.result, u.result_address, u.result_type, u.result_sha256, u.additional_result, u.error, u.backoff_ms, u.never_started'
const ENDS = `
        unnest($1::uuid[], $2::uuid[], $3::int[], $4::smallint[], $5::bytea[], $6::text[], $7::text[],
          $8::bytea[], $9::jsonb[], $10::jsonb[], $11::float8[], $12::bool[])
        AS u(id, attachment_id, attempt, state, result, result_address, result_type, result_sha256,
          additional_result, error, backoff_ms, never_started)`

const UNASKED = `u.state = ${JobState.canceled} AND j.cancel_time IS NULL`
const UNASKED_BRIEF = "'The executor said that the job was canceled, but nobody had canceled it.'"

const LEAVES_CHILDREN = `j.attached_count IS NOT NULL`
const AWAITS_CHILDREN = `u.state = ${JobState.succeeded} AND ${LEAVES_CHILDREN}`

/**
 * Any other end. One that succeeds and has had attached children goes on as nobody's, until they have ended (parents.ts); those of an
 * attempt that failed count no more. A retry of a job that is to be canceled ends as canceled instead, and nothing else does: a word of a cancel
 * that nobody asked for is a fault of the executor.
 */
const END = {
  name: 'end_attempts',
  text: keepingAttempts({
    ctes: `ending AS (${heldAttempts(ENDS, 'fail', END_COLUMNS)}
    )`,
    from: 'u',
    error: 'j.error',
    retries: true,
    update: `
    UPDATE offstage.jobs j
    SET revision = j.revision + 1, attachment_id = NULL,
      state = CASE WHEN u.state = ${JobState.scheduled} AND j.cancel_time IS NOT NULL
        THEN ${JobState.canceled} WHEN ${UNASKED} THEN ${JobState.failed}
        WHEN ${AWAITS_CHILDREN} THEN ${TRANSITIONS.awaitAttached.to} ELSE u.state END,
      attached_after = CASE WHEN ${LEAVES_CHILDREN} AND u.state = ${JobState.scheduled} THEN j.attempt ELSE j.attached_after END,
      cancel_outcome = CASE
        WHEN j.cancel_time IS NULL THEN ${CancelOutcome.unknown}
        WHEN u.never_started THEN ${CancelOutcome.neverStarted}
        WHEN u.state IN (${JobState.scheduled}, ${JobState.canceled}) THEN ${CancelOutcome.stopped}
        ELSE ${CancelOutcome.finishedAnyway} END,
      failures = j.failures
        + CASE WHEN u.state IN (${JobState.scheduled}, ${JobState.failed}) OR ${UNASKED} THEN 1 ELSE 0 END,
      finish_time = CASE WHEN ${AWAITS_CHILDREN} OR u.state = ${JobState.scheduled} AND j.cancel_time IS NULL
        THEN NULL ELSE now() END,
      due_time = CASE WHEN u.state = ${JobState.scheduled}
        THEN now() + u.backoff_ms * interval '1 ms' ELSE j.due_time END,
      result = u.result, result_address = u.result_address, result_type = u.result_type,
      result_sha256 = u.result_sha256, additional_result = u.additional_result,
      error = CASE WHEN ${UNASKED} THEN ${errorInSql(UNASKED_BRIEF, 'RESULT_REFUSED')} ELSE u.error END
    FROM ending u WHERE j.id = u.id`,
  }),
}

export async function endAttempts(
  database: Queryable,
  ends: readonly AttemptEnd[],
): Promise<ChangedJob[]> {
  const { rows } = await database.query<ChangedRow>(END, [
    ...keyColumns(ends),
    ends.map((end) => end.state),
    ends.map((end) => end.result?.inline ?? null),
    ends.map((end) => end.result?.address ?? null),
    ends.map((end) => end.result?.type || null),
    ends.map((end) => end.result?.sha256 ?? null),
    ends.map((end) => additionalToJson(end.additionalResult)),
    ends.map((end) => errorToJson(end.error)),
    ends.map((end) => end.backoffMs),
    ends.map((end) => end.neverStarted ?? false),
  ])
  return rows.map(changedFromRow)
}

const REQUEUE = {
  name: 'requeue_attempts',
  text: keepingAttempts({
    ctes: `held AS (${heldAttempts(KEYS, 'requeue')}
    )`,
    from: 'held',
    update: `
    UPDATE offstage.jobs j
    SET revision = j.revision + 1, attachment_id = NULL,
      state = CASE WHEN j.cancel_time IS NULL THEN ${TRANSITIONS.requeue.to} ELSE ${JobState.canceled} END,
      cancel_outcome = ${STOPPED_IF_CANCELED},
      finish_time = CASE WHEN j.cancel_time IS NULL THEN NULL ELSE now() END
    FROM held WHERE j.id = held.id`,
  }),
}

export async function requeueAttempts(
  database: Queryable,
  attempts: readonly AttemptKey[],
): Promise<ChangedJob[]> {
  const { rows } = await database.query<ChangedRow>(REQUEUE, keyColumns(attempts))
  return rows.map(changedFromRow)
}

const setWaitingStatement = (name: 'waitForChildren' | 'resume') => ({
  name: `set_${name.toLowerCase()}`,
  text: `
    WITH held AS (${heldAttempts(KEYS, name)}
    )
    UPDATE offstage.jobs j
    SET state = ${TRANSITIONS[name].to}, revision = j.revision + 1
    FROM held WHERE j.id = held.id`,
})
const WAIT = setWaitingStatement('waitForChildren')
const RESUME = setWaitingStatement('resume')

export async function setWaiting(
  database: Queryable,
  attempts: readonly AttemptKey[],
  waiting: boolean,
): Promise<void> {
  await database.query(waiting ? WAIT : RESUME, keyColumns(attempts))
}

function keyColumns(attempts: readonly AttemptKey[]): unknown[] {
  return [
    attempts.map((attempt) => attempt.jobId),
    attempts.map((attempt) => attempt.attachmentId),
    attempts.map((attempt) => attempt.attempt),
  ]
}
