import type { Database, Queryable } from '@offstage/kit/database'
import type { Attachment } from '../domain/attached-executor.ts'
import type { ChangedJob, TakenJobs } from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'
import { JobState, leaving, TRANSITIONS } from '../domain/job-state.ts'
import type { AttachmentStore } from '../ports/executors.ts'
import { recordAct } from './acts.ts'
import { HOLDER_COLUMN, keepingAttempts, STOPPED_IF_CANCELED } from './job-attempts.ts'
import {
  type ChangedRow,
  CLAIMED_COLUMNS,
  type ClaimedRow,
  changedFromRow,
  takenFromRows,
} from './job-rows.ts'
import { listExecutors } from './list-executors.ts'

/** What waits longer for a lock is tried again by its executor: others attach meanwhile. */
const LOCK_MS = 1_000

/** One attach of a session at a time, on whichever replica: those that follow see what it did. */
const TAKE_TURN = {
  name: 'take_turn_to_attach',
  text: `
    SELECT set_config('lock_timeout', '${LOCK_MS}', true),
      pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))`,
}

const RECORD = {
  name: 'record_attachment',
  text: `
    WITH recorded AS (
      INSERT INTO offstage.attachments (id, session_id, session_key, namespace, name, scheduler, extra_rounds, renew_round)
      SELECT $1::uuid, $2::uuid, $3::uuid, $4, $5, $6, $14::int, round FROM offstage.lease_rounds
      RETURNING id
    )
    INSERT INTO offstage.executors (attachment_id, software, labels, lanes, slots, methods, pools, schemas, versions)
    SELECT id, $7, $8::jsonb, $9::smallint[], $10::int[], $11::text[], $12::text[], $13::jsonb, $15::jsonb FROM recorded`,
}

const DRAINING = {
  name: 'mark_draining',
  text: `
    UPDATE offstage.executors e SET draining = true FROM offstage.attachments a
    WHERE e.attachment_id = $1::uuid AND a.id = e.attachment_id
    RETURNING a.namespace, a.session_id`,
}

/** In the order of their ids, as by every statement that waits for many; what follows then waits for none. */
const LOCK_HELD = {
  name: 'lock_held_attempts',
  text: `
    SELECT FROM offstage.jobs j
    WHERE j.id IN (
      SELECT held.id FROM offstage.jobs held JOIN offstage.attachments a ON held.attachment_id = a.id
      WHERE a.session_key = ANY ($1::uuid[]) AND ${leaving('requeue', 'held.state')}
      UNION
      SELECT charged.id FROM offstage.jobs charged
      WHERE charged.crashed_sessions && $1::uuid[] AND charged.state < ${JobState.succeeded})
    ORDER BY j.id FOR NO KEY UPDATE`,
}

/** What a statement still on its way gives to an older stream is taken back by the sweep, and so is what one still holds: at no charge. */
const END_OLDER = {
  name: 'end_older_attachments',
  text: `
    UPDATE offstage.attachments
    SET end_round = coalesce(end_round, (SELECT round FROM offstage.lease_rounds)), lost = false
    WHERE session_key = $2::uuid AND id <> $1::uuid AND (end_round IS NULL OR lost)`,
}

/** The session lives: what it lost meanwhile was not lost to a crash. */
const TAKE_CHARGE_BACK = {
  name: 'take_charge_back',
  text: `
    UPDATE offstage.jobs SET crash_count = crash_count - 1,
      crashed_sessions = nullif(array_remove(crashed_sessions, $1::uuid), '{}')
    WHERE crashed_sessions @> ARRAY[$1::uuid] AND state < ${JobState.succeeded}`,
}

const ADOPT = {
  name: 'adopt_attempts',
  text: `
    UPDATE offstage.jobs j SET attachment_id = $1::uuid
    FROM offstage.attachments a, unnest($3::uuid[], $4::int[]) AS u(id, attempt)
    WHERE a.session_key = $2::uuid AND a.id <> $1::uuid AND j.attachment_id = a.id
      AND j.id = u.id AND j.attempt = u.attempt AND ${leaving('requeue', 'j.state')}
    RETURNING ${CLAIMED_COLUMNS}`,
}

/** What the session held and does not run: assignments that were lost on their way to it. */
const REQUEUE_REST = {
  name: 'requeue_unknown_attempts',
  text: keepingAttempts({
    ctes: `held AS (
      SELECT j.id, ${HOLDER_COLUMN}
      FROM offstage.attachments a JOIN offstage.jobs j ON j.attachment_id = a.id
      WHERE a.session_key = $2::uuid AND a.id <> $1::uuid AND ${leaving('requeue', 'j.state')}
    )`,
    from: 'held',
    update: `
    UPDATE offstage.jobs j SET attachment_id = NULL, revision = j.revision + 1,
      state = CASE WHEN j.cancel_time IS NULL THEN ${TRANSITIONS.requeue.to} ELSE ${JobState.canceled} END,
      cancel_outcome = ${STOPPED_IF_CANCELED},
      finish_time = CASE WHEN j.cancel_time IS NULL THEN NULL ELSE now() END
    FROM held WHERE j.id = held.id AND j.attachment_id = held.holder AND ${leaving('requeue', 'j.state')}`,
  }),
}

const END = {
  name: 'end_attachment',
  text: `
    UPDATE offstage.attachments
    SET end_round = (SELECT round FROM offstage.lease_rounds), seen_time = clock_timestamp()
    WHERE id = $1::uuid AND end_round IS NULL`,
}

/** Waits for no lock. A renewal and the end of a lease meet on the row: whichever comes second sees the first. */
const RENEW = {
  name: 'renew_attachments',
  text: `
    WITH due AS (
      SELECT a.id, now.round
      FROM offstage.attachments a CROSS JOIN offstage.lease_rounds now
      WHERE a.id = ANY ($1::uuid[]) AND a.end_round IS NULL AND (a.renew_round < now.round OR a.in_doubt)
      ORDER BY a.id FOR NO KEY UPDATE OF a SKIP LOCKED
    ), renewed AS (
      UPDATE offstage.attachments a SET renew_round = greatest(a.renew_round, due.round), in_doubt = false,
        seen_time = clock_timestamp()
      FROM due WHERE a.id = due.id
      RETURNING a.id
    )
    SELECT a.id, a.id IN (SELECT id FROM renewed) OR (a.renew_round >= now.round AND NOT a.in_doubt) AS renewed
    FROM offstage.attachments a CROSS JOIN offstage.lease_rounds now
    WHERE a.id = ANY ($1::uuid[]) AND a.end_round IS NULL`,
}

export function createAttachmentStore(database: Database): AttachmentStore {
  return {
    attach: (attachment, running) => database.transaction((tx) => attach(tx, attachment, running)),
    async renew(ids) {
      const { rows } = await database.query<{ id: AttachmentId; renewed: boolean }>(RENEW, [ids])
      return new Map(rows.map(({ id, renewed }) => [id, renewed]))
    },
    markDraining: (id, by) =>
      database.transaction(async (tx) => {
        const { rows } = await tx.query<{ namespace: string; session_id: string }>(DRAINING, [id])
        const [row] = rows
        if (by === undefined || row === undefined) return
        const { namespace, session_id } = row
        const act = { by, namespace, targets: [session_id], owners: [] }
        await recordAct(tx, { ...act, outcome: 'OK' })
      }),
    async end(id) {
      await database.query(END, [id])
    },
    list: (namespace, page) => listExecutors(database, namespace, page),
  }
}

async function attach(
  tx: Queryable,
  { id, sessionId, sessionKey, lostSessionKey, namespace, name, scheduler, ...told }: Attachment,
  running: readonly { jobId: string; attempt: number }[],
): Promise<{ adopted: TakenJobs; requeued: ChangedJob[] }> {
  await tx.query(TAKE_TURN, [sessionKey])
  await tx.query(RECORD, [
    id,
    sessionId,
    sessionKey,
    namespace,
    name,
    scheduler,
    told.software,
    JSON.stringify(told.labels),
    told.lanes.map(({ lane }) => lane),
    told.lanes.map(({ slots }) => slots),
    told.methods.toSorted(),
    told.pools,
    JSON.stringify(told.schemas),
    told.extraRounds ?? 0,
    told.versions === undefined ? null : JSON.stringify(told.versions),
  ])
  const sessions = lostSessionKey === undefined ? [sessionKey] : [sessionKey, lostSessionKey]
  await tx.query(LOCK_HELD, [sessions])
  // From here on nobody charges them: what was charged before is seen by what follows.
  for (const session of sessions) await tx.query(END_OLDER, [id, session])
  for (const session of sessions) await tx.query(TAKE_CHARGE_BACK, [session])
  const adopted = await tx.query<ClaimedRow>(ADOPT, [
    id,
    sessionKey,
    running.map((attempt) => attempt.jobId),
    running.map((attempt) => attempt.attempt),
  ])
  const requeued = await tx.query<ChangedRow>(REQUEUE_REST, [id, sessionKey])
  return {
    adopted: takenFromRows(adopted.rows),
    requeued: requeued.rows.map(changedFromRow),
  }
}
