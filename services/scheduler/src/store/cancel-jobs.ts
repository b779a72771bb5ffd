/**
 * Canceling jobs and what hangs on them, down the trees level by level in one transaction.
 *
 * Invariants:
 *  1. A cancel stays in its namespace and, unless an administrator asks, with the jobs of one owner (guarantee 8).
 *  2. No child slips through (guarantee 7): the children of a level are read after its jobs were marked, and a start locks
 *     its parent's row (insert-jobs.ts); so a child is either found here, or its start sees the mark.
 *  3. The rows of a level are locked in the order of their ids, as by every statement that waits for many.
 */

import type { Database, Queryable } from '@offstage/kit/database'
import { actOn } from '../domain/act.ts'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { CanceledJob, CancelRequest, OpenCancel } from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'
import { JobState, leaving, TRANSITIONS } from '../domain/job-state.ts'
import { recordAct } from './acts.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'

const CANCELED_COLUMNS = `${CHANGED_COLUMNS}, j.attachment_id, j.attempt`
const ALLOWED = 'j.namespace = $1 AND ($2::text IS NULL OR j.owner = $2)'
const UNSTARTED = leaving('cancelUnstarted', 'j.state')

/** Ends jobs that have not started, and marks running ones; the first mark stands, but for becoming a cascade. */
const CANCEL = {
  name: 'cancel_jobs',
  text: `
    WITH target AS (
      SELECT j.id FROM offstage.jobs j
      WHERE j.id = ANY ($3::uuid[]) AND ${ALLOWED} AND j.state < ${JobState.succeeded}
        AND (j.cancel_time IS NULL OR $4::boolean AND NOT j.cancel_cascade)
      ORDER BY j.id FOR NO KEY UPDATE
    )
    UPDATE offstage.jobs j
    SET revision = j.revision + 1,
      state = CASE WHEN ${UNSTARTED} THEN ${TRANSITIONS.cancelUnstarted.to} ELSE j.state END,
      finish_time = CASE WHEN ${UNSTARTED} THEN now() END,
      cancel_outcome = CASE WHEN ${UNSTARTED} THEN ${CancelOutcome.neverStarted} ELSE ${CancelOutcome.unknown} END,
      cancel_cascade = $4::boolean,
      cancel_reason = coalesce(j.cancel_reason, $5),
      cancel_time = coalesce(j.cancel_time, now()),
      cancel_deadline = coalesce(j.cancel_deadline, now() + ($6::float8 + $7::float8) * interval '1 ms')
    FROM target WHERE j.id = target.id
    RETURNING ${CANCELED_COLUMNS}`,
}

const TARGETS = {
  name: 'read_cancel_targets',
  text: `SELECT ${CANCELED_COLUMNS} FROM offstage.jobs j WHERE j.id = ANY ($3::uuid[]) AND ${ALLOWED}`,
}

/** Ended children too: theirs may still run. */
const CHILDREN = {
  name: 'children_to_cancel',
  text: `
    SELECT j.id FROM offstage.jobs j
    WHERE j.parent_id = ANY ($3::uuid[]) AND ${ALLOWED}
      AND ($4::boolean OR j.options->'cancelWithParent' = 'true')`,
}

interface CanceledRow extends ChangedRow {
  attachment_id: AttachmentId | null
  attempt: number
}

export function cancelJobs(database: Database, request: CancelRequest): Promise<CanceledJob[]> {
  return database.transaction((tx) => cancelTrees(tx, { ...request, jobIds: [request.jobId] }))
}

export type CancelTreesRequest = Omit<CancelRequest, 'jobId'> & {
  readonly jobIds: readonly string[]
}

/** What was ended or marked, and of the jobs named those too of which nothing was; nothing of what may not be canceled. */
export async function cancelTrees(
  tx: Queryable,
  request: CancelTreesRequest,
): Promise<CanceledJob[]> {
  const { namespace, owner = null, jobIds, cascade, reason, graceMs, leaseMs } = request
  const mark = async (ids: readonly string[]) => {
    const values = [namespace, owner, ids, cascade, reason, graceMs, leaseMs]
    return (await tx.query<CanceledRow>(CANCEL, values)).rows
  }
  const canceled = await mark(jobIds)
  let changed = canceled.length
  if (canceled.length < jobIds.length) {
    const rest = without(jobIds, canceled)
    canceled.push(...(await tx.query<CanceledRow>(TARGETS, [namespace, owner, rest])).rows)
  }
  const seen = new Set(canceled.map(({ id }) => id))
  for (let level = [...seen]; level.length > 0; ) {
    const { rows } = await tx.query<{ id: string }>(CHILDREN, [namespace, owner, level, cascade])
    level = rows.map(({ id }) => id).filter((id) => !seen.has(id))
    for (const id of level) seen.add(id)
    const marked = level.length > 0 ? await mark(level) : []
    changed += marked.length
    canceled.push(...marked)
  }
  const foreign = canceled.filter((row) => row.owner !== request.by.user)
  const outcome = changed > 0 ? 'OK' : 'UNCHANGED'
  if (foreign.length > 0) await recordAct(tx, actOn(request.by, namespace, foreign, outcome))
  return canceled.map(canceledFromRow)
}

function without(ids: readonly string[], rows: readonly { readonly id: string }[]): string[] {
  const there = new Set(rows.map(({ id }) => id))
  return ids.filter((id) => !there.has(id))
}

function canceledFromRow(row: CanceledRow): CanceledJob {
  return {
    ...changedFromRow(row),
    attachmentId: row.attachment_id ?? undefined,
    attempt: row.attempt,
  }
}

/** No more than the grace that was given, though the clock was put back since. */
const OPEN = {
  name: 'open_cancels',
  text: `
    SELECT j.id, j.attachment_id, j.attempt, coalesce(j.cancel_reason, '') AS reason,
      greatest(0, extract(epoch FROM j.cancel_deadline - greatest(now(), j.cancel_time))::float8 * 1000 - $2::float8)
        AS grace_ms
    FROM offstage.jobs j
    WHERE ${leaving('cancelRunning', 'j.state')} AND j.cancel_time IS NOT NULL
      AND j.attachment_id = ANY ($1::uuid[])`,
}

interface OpenRow {
  id: string
  attachment_id: AttachmentId
  attempt: number
  reason: string
  grace_ms: number
}

export async function openCancels(
  database: Queryable,
  attachmentIds: readonly AttachmentId[],
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
