/**
 * Attempts that are over (row J23).
 *
 * A job's own row names the attachment of its present attempt, and that of one that succeeded with a plain result, so that
 * the way of most jobs costs no second row. Every statement that takes the attachment away keeps the attempt here, at once.
 */
import type { Queryable } from '@offstage/kit/database'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { JobAttempt } from '../domain/job.ts'
import { JobState, TRANSITIONS } from '../domain/job-state.ts'
import type { Lane } from '../domain/lane.ts'
import { CHANGED_COLUMNS } from './job-rows.ts'
import { LANE_OF_JOB } from './methods.ts'

/** Where to find who held a row that is locked or read before it is changed: what {@link keepingAttempts} wants to know. */
export const HOLDER_COLUMN = 'j.attachment_id AS holder'

/** SQL for what became of the cancel, if there was one, where an attempt ends without a word of its executor. */
export const STOPPED_IF_CANCELED = `CASE WHEN j.cancel_time IS NULL THEN ${CancelOutcome.unknown} ELSE ${CancelOutcome.stopped} END`

/**
 * An UPDATE of jobs `j` that lets go of their attachments, made to keep their attempts. It joins `from`, which has the
 * `holder` of each; its answer is that of the update: the changed columns. `ctes` stand before it.
 */
export function keepingAttempts({
  ctes,
  update,
  from,
  error = 'NULL',
  retries = false,
}: {
  readonly ctes: string
  readonly update: string
  readonly from: string
  /** SQL over `j`: the stored error with which the attempt failed. */
  readonly error?: string
  /** Whether what it leaves as scheduled, or was to, has failed. */
  readonly retries?: boolean
}): string {
  const outcome = retries
    ? `CASE WHEN ${from}.state = ${JobState.scheduled} THEN ${JobState.failed}
        WHEN j.state = ${TRANSITIONS.awaitAttached.to} THEN ${JobState.succeeded} ELSE j.state END`
    : 'j.state'
  return `
    WITH ${ctes}, changed AS (
      ${update}
      RETURNING ${CHANGED_COLUMNS}, j.attempt, ${LANE_OF_JOB} AS lane, j.start_time, ${from}.holder,
        ${outcome} AS outcome, (${error})::jsonb AS failure
    ), kept AS (
      INSERT INTO offstage.job_attempts
        (job_id, attempt, session_id, executor_name, lane, start_time, outcome, error_brief, error_reason)
      SELECT c.id, c.attempt, a.session_id, coalesce(a.name, ''), c.lane, c.start_time, c.outcome,
        coalesce(c.failure->>'brief', ''), c.failure->>'reason'
      FROM changed c LEFT JOIN offstage.attachments a ON a.id = c.holder
      ON CONFLICT DO NOTHING
    )
    SELECT * FROM changed`
}

/** Of each job at most so many, the newest. */
const ATTEMPTS_TOLD_MAX = 100

const READ = {
  name: 'read_attempts',
  text: `
    SELECT told.* FROM unnest($1::uuid[]) AS u(id) CROSS JOIN LATERAL (
      SELECT p.job_id, p.attempt, p.session_id, p.executor_name, p.lane, p.start_time, p.finish_time, p.outcome,
        p.error_brief, p.error_reason
      FROM offstage.job_attempts p WHERE p.job_id = u.id
      UNION ALL
      SELECT j.id, j.attempt, coalesce(a.session_id, past.session_id), coalesce(a.name, past.name, ''),
        ${LANE_OF_JOB}, j.start_time, j.finish_time, j.state, '', NULL
      FROM offstage.jobs j
      LEFT JOIN offstage.attachments a ON a.id = j.attachment_id
      LEFT JOIN offstage.past_attachments past ON past.id = j.attachment_id
      WHERE j.id = u.id AND j.attachment_id IS NOT NULL
      ORDER BY attempt DESC LIMIT ${ATTEMPTS_TOLD_MAX}
    ) told
    ORDER BY told.job_id, told.attempt`,
}

interface AttemptRow {
  job_id: string
  attempt: number
  session_id: string | null
  executor_name: string
  lane: Lane
  start_time: Date | null
  finish_time: Date | null
  outcome: JobState
  error_brief: string
  /** Null also where a release before this one wrote it. */
  error_reason: string | null
}

/** Oldest first. */
export async function readAttempts(
  database: Queryable,
  ids: readonly string[],
): Promise<Map<string, JobAttempt[]>> {
  if (ids.length === 0) return new Map()
  const { rows } = await database.query<AttemptRow>(READ, [ids])
  return Map.groupBy(rows.map(attemptFromRow), ({ jobId }) => jobId)
}

function attemptFromRow(row: AttemptRow): JobAttempt {
  return {
    jobId: row.job_id,
    attempt: row.attempt,
    sessionId: row.session_id ?? '',
    executorName: row.executor_name,
    lane: row.lane,
    startTime: row.start_time ?? undefined,
    finishTime: row.finish_time ?? undefined,
    outcome: row.outcome,
    errorBrief: row.error_brief,
    errorReason: row.error_reason ?? '',
  }
}
