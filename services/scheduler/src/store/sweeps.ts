/** What the sweeps behind the hints change; bounded by a limit, safe to run on every replica at once. */

import { type Queryable, sqlStateOf } from '@offstage/kit/database'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import { DEADLINE_REASONS } from '../domain/deadline.ts'
import type { AttemptKey, ChangedJob } from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'
import { JobState, leaving, TRANSITIONS } from '../domain/job-state.ts'
import { HOLDER_COLUMN, keepingAttempts } from './job-attempts.ts'
import { errorInSql } from './job-error-codec.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'
import { keyNotInHand } from './key-in-hand.ts'
import { WAITS_BRIEFLY } from './waits-briefly.ts'

const sweep = (name: string, pick: string, set: string) => ({
  name,
  text: `
    WITH picked AS (${pick} LIMIT $1::int FOR UPDATE OF j SKIP LOCKED)
    UPDATE offstage.jobs j SET revision = j.revision + 1, ${set}
    FROM picked WHERE j.id = picked.id
    RETURNING ${CHANGED_COLUMNS}`,
})

const PROMOTE_DUE = sweep(
  'promote_due',
  `SELECT j.id FROM offstage.jobs j
   WHERE ${leaving('promote', 'j.state')} AND NOT j.behind_key AND j.due_time <= now() ORDER BY j.due_time`,
  `state = ${TRANSITIONS.promote.to}`,
)

/** Only before the first assignment, or the first since it was started anew: what waits for another attempt has been started in time. */
const EXPIRE_QUEUED = sweep(
  'expire_queued',
  `SELECT j.id FROM offstage.jobs j
   WHERE ${leaving('expire', 'j.state')} AND (j.attempt = 0 OR j.attempt = j.renewed_attempt)
     AND j.queue_deadline <= now()
   ORDER BY j.queue_deadline`,
  `state = ${TRANSITIONS.expire.to}, finish_time = now(), error = ${errorInSql(
    "'The job was not started within its queue deadline.'",
    DEADLINE_REASONS.queue,
  )}`,
)

const BRIEF_OF_TOTAL = `'The job was not done within its total deadline'
  || coalesce('; its last attempt failed: ' || left(j.error->>'brief', 800), '.')`

/** Also between two attempts; what runs is ended by its executor, or by who watches over that. */
const EXPIRE_TOTAL = sweep(
  'expire_total',
  `SELECT j.id FROM offstage.jobs j
   WHERE ${leaving('expire', 'j.state')} AND j.total_deadline <= now()
   ORDER BY j.total_deadline`,
  `state = ${TRANSITIONS.expire.to}, finish_time = now(),
   error = ${errorInSql(BRIEF_OF_TOTAL, DEADLINE_REASONS.total)}`,
)

const FORCE_CANCELED = {
  name: 'force_canceled',
  text: keepingAttempts({
    ctes: `picked AS (
      SELECT j.id, ${HOLDER_COLUMN} FROM offstage.jobs j
      WHERE ${leaving('cancelRunning', 'j.state')} AND j.cancel_time IS NOT NULL AND j.cancel_deadline <= now()
      LIMIT $1::int FOR UPDATE OF j SKIP LOCKED
    )`,
    from: 'picked',
    update: `
    UPDATE offstage.jobs j SET revision = j.revision + 1, state = ${TRANSITIONS.cancelRunning.to},
      finish_time = now(), cancel_outcome = ${CancelOutcome.stopped}, attachment_id = NULL
    FROM picked WHERE j.id = picked.id`,
  }),
}

/** A cancel that lies ahead: the clock was put back since, and its time begins anew (guarantee 7). */
const BRING_BACK_CANCELS = {
  name: 'bring_back_cancels',
  text: `
    UPDATE offstage.jobs SET cancel_time = now(), cancel_deadline = now() + (cancel_deadline - cancel_time)
    WHERE id IN (
      SELECT j.id FROM offstage.jobs j
      WHERE ${leaving('cancelRunning', 'j.state')} AND j.cancel_time IS NOT NULL AND j.cancel_time > now()
      LIMIT $1::int FOR NO KEY UPDATE SKIP LOCKED)`,
}

const run = async (database: Queryable, statement: typeof PROMOTE_DUE, values: unknown[]) => {
  const { rows } = await database.query<ChangedRow>(statement, values)
  return rows.map(changedFromRow)
}

export const promoteDue = (database: Queryable, limit: number): Promise<ChangedJob[]> =>
  run(database, PROMOTE_DUE, [limit])

export const expireQueued = (database: Queryable, limit: number): Promise<ChangedJob[]> =>
  run(database, EXPIRE_QUEUED, [limit])

export const expireTotal = (database: Queryable, limit: number): Promise<ChangedJob[]> =>
  run(database, EXPIRE_TOTAL, [limit])

export async function forceCanceled(database: Queryable, limit: number): Promise<ChangedJob[]> {
  await database.query(BRING_BACK_CANCELS, [limit])
  return run(database, FORCE_CANCELED, [limit])
}

const KEYS_FREE = {
  name: 'keys_free',
  text: `
    SELECT DISTINCT ON (j.namespace, j.method, j.key) j.id
    FROM offstage.jobs j
    WHERE j.state = ${JobState.scheduled} AND j.behind_key AND NOT EXISTS (
      SELECT FROM offstage.jobs holder
      WHERE holder.namespace = j.namespace AND holder.method = j.method AND holder.key = j.key
        AND holder.state < ${JobState.succeeded} AND NOT holder.behind_key)
    ORDER BY j.namespace, j.method, j.key, j.create_time, j.id
    LIMIT $1::int`,
}

/** The one that waited longest takes the key, and keeps its start time if it has one. */
const TAKE_KEY = {
  name: 'take_key',
  text: `
    UPDATE offstage.jobs j SET revision = j.revision + 1, behind_key = false,
      state = CASE WHEN j.due_time > now() THEN ${JobState.scheduled} ELSE ${TRANSITIONS.promote.to} END
    WHERE ${WAITS_BRIEFLY} AND j.id = $1::uuid AND ${leaving('promote', 'j.state')} AND j.behind_key
      AND ${keyNotInHand('j.namespace', 'j.method', 'j.key')}
    RETURNING ${CHANGED_COLUMNS}`,
}

export async function promoteBehindKey(database: Queryable, limit: number): Promise<ChangedJob[]> {
  const { rows: free } = await database.query<{ id: string }>(KEYS_FREE, [limit])
  const promoted: ChangedJob[] = []
  for (const { id } of free) {
    try {
      promoted.push(...(await run(database, TAKE_KEY, [id])))
    } catch (error) {
      // Another start took the key first, or is about to; this one waits on.
      if (!TAKEN.has(sqlStateOf(error) ?? '')) throw error
    }
  }
  return promoted
}

const TAKEN: ReadonlySet<string> = new Set(['23505', '55P03'])

const HELD_BY = {
  name: 'held_by',
  text: `
    SELECT j.id, j.attachment_id, j.attempt FROM offstage.jobs j
    WHERE j.attachment_id = ANY ($1::uuid[]) AND ${leaving('requeue', 'j.state')}`,
}

/** Their holders were over and held nothing; a replica that had been frozen since gave them jobs all the same. */
const ORPHANS = {
  name: 'orphaned_attempts',
  text: `
    SELECT j.id, j.attachment_id, j.attempt FROM offstage.jobs j
    WHERE ${leaving('requeue', 'j.state')} AND j.attachment_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM offstage.attachments a WHERE a.id = j.attachment_id)
    LIMIT $1::int`,
}

interface HeldRow {
  id: string
  attachment_id: AttachmentId
  attempt: number
}

export async function heldBy(
  database: Queryable,
  attachmentIds: readonly AttachmentId[],
): Promise<AttemptKey[]> {
  return attemptsFrom(await database.query<HeldRow>(HELD_BY, [attachmentIds]))
}

export async function orphans(database: Queryable, limit: number): Promise<AttemptKey[]> {
  return attemptsFrom(await database.query<HeldRow>(ORPHANS, [limit]))
}

function attemptsFrom({ rows }: { readonly rows: readonly HeldRow[] }): AttemptKey[] {
  return rows.map(({ id, attachment_id, attempt }) => ({
    jobId: id,
    attachmentId: attachment_id,
    attempt,
  }))
}
