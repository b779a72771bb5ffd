import type { Queryable } from '@offstage/kit/database'
import { JobState, leaving, TRANSITIONS } from '../domain/job-state.ts'
import type { CanceledJob, CancelRequest, OpenCancel } from '../ports.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'

/**
 * Ends jobs that have not started, and marks running ones; the first mark stands. Finished ones are answered as
 * they are. With cascade, children of children too.
 */
const CANCEL = {
  name: 'cancel_jobs',
  text: `
    WITH RECURSIVE target AS (
      SELECT id FROM offstage.jobs
      WHERE id = $2::uuid AND namespace = $1 AND ($3::text IS NULL OR owner = $3)
      UNION
      SELECT child.id FROM offstage.jobs child JOIN target ON child.parent_id = target.id
      WHERE $7::boolean OR (child.options->>'cancelWithParent')::boolean
    ), changed AS (
      UPDATE offstage.jobs j
      SET revision = j.revision + 1,
        state = CASE WHEN ${leaving('cancelUnstarted', 'j.state')} THEN ${TRANSITIONS.cancelUnstarted.to} ELSE j.state END,
        finish_time = CASE WHEN ${leaving('cancelUnstarted', 'j.state')} THEN now() END,
        cancel_outcome = CASE WHEN ${leaving('cancelUnstarted', 'j.state')} THEN 1 ELSE 0 END,
        cancel_reason = $4,
        cancel_time = now(),
        cancel_deadline = now() + ($5::float8 + $6::float8) * interval '1 ms'
      FROM target
      WHERE j.id = target.id AND j.state < ${JobState.succeeded} AND j.cancel_time IS NULL
      RETURNING ${CHANGED_COLUMNS}, j.attachment_id, j.attempt, true AS changed
    )
    SELECT * FROM changed
    UNION ALL
    SELECT ${CHANGED_COLUMNS}, j.attachment_id, j.attempt, false
    FROM offstage.jobs j JOIN target ON target.id = j.id
    WHERE j.id = $2::uuid AND NOT EXISTS (SELECT FROM changed WHERE changed.id = j.id)`,
}

interface CanceledRow extends ChangedRow {
  attachment_id: string | null
  attempt: number
}

export async function cancelJobs(
  database: Queryable,
  request: CancelRequest,
): Promise<CanceledJob[]> {
  const { rows } = await database.query<CanceledRow>(CANCEL, [
    request.namespace,
    request.jobId,
    request.owner ?? null,
    request.reason,
    request.graceMs,
    request.leaseMs,
    request.cascade,
  ])
  return rows.map((row) => ({
    ...changedFromRow(row),
    attachmentId: row.attachment_id ?? '',
    attempt: row.attempt,
  }))
}

const OPEN = {
  name: 'open_cancels',
  text: `
    SELECT j.id, j.attachment_id, j.attempt, coalesce(j.cancel_reason, '') AS reason,
      greatest(0, extract(epoch FROM j.cancel_deadline - now())::float8 * 1000 - $2::float8) AS grace_ms
    FROM offstage.jobs j
    WHERE ${leaving('cancelRunning', 'j.state')} AND j.cancel_time IS NOT NULL
      AND j.attachment_id = ANY ($1::uuid[])`,
}

interface OpenRow {
  id: string
  attachment_id: string
  attempt: number
  reason: string
  grace_ms: number
}

export async function openCancels(
  database: Queryable,
  attachmentIds: readonly string[],
  leaseMs: number,
): Promise<OpenCancel[]> {
  const { rows } = await database.query<OpenRow>(OPEN, [attachmentIds, leaseMs])
  return rows.map((row) => ({
    jobId: row.id,
    attachmentId: row.attachment_id,
    attempt: row.attempt,
    reason: row.reason,
    graceMs: row.grace_ms,
  }))
}
