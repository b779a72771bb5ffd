/**
 * Parents whose handlers have returned (row A5). They are in the state WAITING and nobody's: no attachment holds them.
 *
 * 1. Nothing but the rows tells that a parent has nothing left to wait for; who is told of a child's end only looks sooner.
 * 2. What a parent is ended by was true while its count of attached children was as it is: a start of one more counts in the statement
 *    that records it (insert-jobs-sql.ts), and so does one that is started anew (retry-job.ts), so a parent never ends before a child that
 *    was attached in time, nor by the end of one that goes on.
 */
import type { Queryable } from '@offstage/kit/database'
import {
  CHILDREN_POLICY_NAMES,
  type ChildrenPolicy,
  type FailedChild,
  type ParentEnd,
  type WaitingParent,
} from '../domain/attached-children.ts'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { ChangedJob } from '../domain/held-job.ts'
import { JobState, leaving } from '../domain/job-state.ts'
import type { LeftBehind, ParentStore } from '../ports/parents.ts'
import { errorToJson } from './job-error-codec.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'

/** By the index of what attachments hold. */
const isWaiting = (row: string) =>
  `${row}.attachment_id IS NULL AND ${leaving('complete', `${row}.state`)}`

/** Attached children of `p` that count; `state <> succeeded` is what their index goes by. */
const CHILDREN = `
      FROM offstage.jobs c WHERE c.attached_to = p.id AND c.state <> ${JobState.succeeded}
        AND c.attached_attempt > coalesce(p.attached_after, -1)`
const OPEN = `EXISTS (SELECT ${CHILDREN} AND c.state < ${JobState.succeeded})`
const NOT_SUCCEEDED = `${CHILDREN} AND c.state > ${JobState.succeeded}`
const FAILED = `EXISTS (SELECT ${NOT_SUCCEEDED})`
const POLICY = `p.options->>'childrenPolicy'`

/** SQL: whether the parent of an attached child waits for it, or for what came of it. */
export const countsForParent = (child: string) => `EXISTS (
        SELECT FROM offstage.jobs p WHERE p.id = ${child}.attached_to AND p.state < ${JobState.succeeded}
          AND ${child}.attached_attempt > coalesce(p.attached_after, -1))`

const LOCK_PARENTS = {
  name: 'lock_parents_of_attached',
  text: `
    SELECT FROM offstage.jobs p
    WHERE p.id IN (SELECT j.attached_to FROM offstage.jobs j WHERE j.id = ANY ($1::uuid[]) AND j.attached_to IS NOT NULL)
    ORDER BY p.id FOR NO KEY UPDATE`,
}

/** Whoever looks then whether the parents of these wait sees what stays so. Before the children's own rows, as by whoever cancels a tree. */
export async function lockParentsOf(tx: Queryable, ids: readonly string[]): Promise<void> {
  await tx.query(LOCK_PARENTS, [ids])
}

const READ = {
  name: 'read_waiting_parents',
  text: `
    SELECT p.id, p.attached_count, ${POLICY} AS policy, p.cancel_time IS NOT NULL AS cancel_requested,
      coalesce(p.total_deadline <= now(), false) AS is_overdue, ${OPEN} AS has_open, ${FAILED} AS has_failed
    FROM offstage.jobs p WHERE p.id = ANY ($1::uuid[]) AND ${isWaiting('p')}`,
}

interface ParentRow {
  id: string
  attached_count: number
  policy: string | null
  cancel_requested: boolean
  is_overdue: boolean
  has_open: boolean
  has_failed: boolean
}

const FAILED_TOLD_MAX = 10

const READ_FAILED = {
  name: 'read_failed_children',
  text: `
    SELECT c.id, c.method, c.state, coalesce(CASE WHEN c.state = ${JobState.failed} THEN c.error->>'brief' ELSE c.cancel_reason END, '') AS brief,
      (count(*) OVER ())::int AS count
    FROM offstage.jobs p CROSS JOIN LATERAL (SELECT c.* ${NOT_SUCCEEDED}) c
    WHERE p.id = $1::uuid ORDER BY c.finish_time, c.id LIMIT ${FAILED_TOLD_MAX}`,
}

const END = {
  name: 'end_waiting_parents',
  text: `
    WITH ending AS (
      SELECT j.id, u.state, u.error
      FROM unnest($1::uuid[], $2::int[], $3::smallint[], $4::jsonb[]) AS u(id, count, state, error)
      JOIN offstage.jobs j ON j.id = u.id AND j.attached_count = u.count
      WHERE ${isWaiting('j')}
      ORDER BY j.id FOR NO KEY UPDATE OF j
    )
    UPDATE offstage.jobs j SET revision = j.revision + 1, state = u.state, finish_time = now(), error = u.error,
      cancel_outcome = CASE WHEN j.cancel_time IS NULL THEN ${CancelOutcome.unknown}
        WHEN u.state = ${JobState.canceled} THEN ${CancelOutcome.stopped} ELSE ${CancelOutcome.finishedAnyway} END
    FROM ending u WHERE j.id = u.id
    RETURNING ${CHANGED_COLUMNS}`,
}

const FIND_DONE = {
  name: 'find_done_parents',
  text: `
    SELECT p.id FROM offstage.jobs p
    WHERE ${isWaiting('p')} AND (NOT ${OPEN}
      OR p.cancel_time IS NULL AND (p.total_deadline <= now() OR ${POLICY} = 'first' AND ${FAILED}))
    LIMIT $1::int`,
}

const FIND_LEFT_BEHIND = {
  name: 'find_children_left_behind',
  text: `
    SELECT c.id, c.namespace, c.owner FROM offstage.jobs c LEFT JOIN offstage.jobs p ON p.id = c.attached_to
    WHERE c.attached_to IS NOT NULL AND c.state < ${JobState.succeeded} AND c.cancel_time IS NULL
      AND (p.id IS NULL OR p.state >= ${JobState.succeeded} OR c.attached_attempt <= p.attached_after)
    LIMIT $1::int`,
}

export function createParentStore(database: Queryable): ParentStore {
  return {
    async readWaiting(ids) {
      return (await database.query<ParentRow>(READ, [ids])).rows.map(parentFromRow)
    },
    async readFailed(id) {
      const { rows } = await database.query<FailedChild & { count: number }>(READ_FAILED, [id])
      return { children: rows, count: rows[0]?.count ?? 0 }
    },
    async end(ends: readonly ParentEnd[]): Promise<ChangedJob[]> {
      const { rows } = await database.query<ChangedRow>(END, [
        ends.map(({ id }) => id),
        ends.map(({ attachedCount }) => attachedCount),
        ends.map(({ state }) => state),
        ends.map(({ error }) => errorToJson(error)),
      ])
      return rows.map(changedFromRow)
    },
    async findDone(limit) {
      return (await database.query<{ id: string }>(FIND_DONE, [limit])).rows.map(({ id }) => id)
    },
    async findLeftBehind(limit) {
      return [...(await database.query<LeftBehind>(FIND_LEFT_BEHIND, [limit])).rows]
    },
  }
}

function parentFromRow(row: ParentRow): WaitingParent {
  return {
    id: row.id,
    attachedCount: row.attached_count,
    policy: policyFromStored(row.policy),
    cancelRequested: row.cancel_requested,
    isOverdue: row.is_overdue,
    hasOpen: row.has_open,
    hasFailed: row.has_failed,
  }
}

/** What cannot be read is as if nothing had been said: a failure is not passed over. */
function policyFromStored(stored: string | null): ChildrenPolicy {
  return CHILDREN_POLICY_NAMES.find((name) => name === stored) ?? 'all'
}
