import type { Database, Queryable } from '@offstage/kit/database'
import { JobState, leaving, TRANSITIONS } from '../domain/job-state.ts'
import type { Attachment, AttachmentStore, ChangedJob, ClaimedJob } from '../ports.ts'
import {
  CHANGED_COLUMNS,
  type ChangedRow,
  CLAIMED_COLUMNS,
  type ClaimedRow,
  changedFromRow,
  claimedFromRow,
} from './job-rows.ts'

const RECORD = {
  name: 'record_attachment',
  text: `
    INSERT INTO offstage.attachments (id, session_id, namespace, name, scheduler, lease_until)
    VALUES ($1, $2, $3, $4, $5, now() + $6::float8 * interval '1 ms')`,
}

/** In the order of their ids, as by every statement that waits for many; what follows then waits for none. */
const LOCK_HELD = {
  name: 'lock_held_attempts',
  text: `
    SELECT FROM offstage.jobs j JOIN offstage.attachments a ON j.attachment_id = a.id
    WHERE a.session_id = $2::uuid AND a.id <> $1::uuid AND ${leaving('requeue', 'j.state')}
    ORDER BY j.id FOR NO KEY UPDATE OF j`,
}

const ADOPT = {
  name: 'adopt_attempts',
  text: `
    UPDATE offstage.jobs j SET attachment_id = $1::uuid
    FROM offstage.attachments a, unnest($3::uuid[], $4::int[]) AS u(id, attempt)
    WHERE a.session_id = $2::uuid AND a.id <> $1::uuid AND j.attachment_id = a.id
      AND j.id = u.id AND j.attempt = u.attempt AND ${leaving('requeue', 'j.state')}
    RETURNING ${CLAIMED_COLUMNS}`,
}

/** What the session held and does not run: assignments that were lost on their way to it. */
const REQUEUE_REST = {
  name: 'requeue_unknown_attempts',
  text: `
    UPDATE offstage.jobs j SET attachment_id = NULL, revision = j.revision + 1,
      state = CASE WHEN j.cancel_time IS NULL THEN ${TRANSITIONS.requeue.to} ELSE ${JobState.canceled} END,
      cancel_outcome = CASE WHEN j.cancel_time IS NULL THEN 0 ELSE 2 END,
      finish_time = CASE WHEN j.cancel_time IS NULL THEN NULL ELSE now() END
    FROM offstage.attachments a
    WHERE a.session_id = $2::uuid AND a.id <> $1::uuid AND j.attachment_id = a.id
      AND ${leaving('requeue', 'j.state')}
    RETURNING ${CHANGED_COLUMNS}`,
}

/** A statement still on its way for an older stream is caught by the sweep at once. */
const END_OLDER = {
  name: 'end_older_attachments',
  text: `
    UPDATE offstage.attachments SET lease_until = least(lease_until, now())
    WHERE session_id = $2::uuid AND id <> $1::uuid`,
}

const RENEW = {
  name: 'renew_attachments',
  text: `
    UPDATE offstage.attachments SET lease_until = now() + $2::float8 * interval '1 ms'
    WHERE id = ANY ($1::uuid[]) RETURNING id`,
}

const FORGET = {
  name: 'forget_attachments',
  text: `
    DELETE FROM offstage.attachments a
    WHERE a.lease_until < now() - $1::float8 * interval '1 ms' AND NOT EXISTS (
      SELECT FROM offstage.jobs j WHERE j.attachment_id = a.id AND ${leaving('requeue', 'j.state')})`,
}

export function createAttachmentStore(database: Database): AttachmentStore {
  return {
    attach: (attachment, leaseMs, running) =>
      database.transaction((tx) => attach(tx, attachment, leaseMs, running)),
    async renew(ids, leaseMs) {
      const { rows } = await database.query<{ id: string }>(RENEW, [ids, leaseMs])
      return new Set(rows.map((row) => row.id))
    },
    async forgetLost(olderThanMs) {
      await database.query(FORGET, [olderThanMs])
    },
  }
}

async function attach(
  tx: Queryable,
  { id, sessionId, namespace, name, scheduler }: Attachment,
  leaseMs: number,
  running: readonly { jobId: string; attempt: number }[],
): Promise<{ adopted: ClaimedJob[]; requeued: ChangedJob[] }> {
  await tx.query(RECORD, [id, sessionId, namespace, name, scheduler, leaseMs])
  await tx.query(LOCK_HELD, [id, sessionId])
  const adopted = await tx.query<ClaimedRow>(ADOPT, [
    id,
    sessionId,
    running.map((attempt) => attempt.jobId),
    running.map((attempt) => attempt.attempt),
  ])
  const requeued = await tx.query<ChangedRow>(REQUEUE_REST, [id, sessionId])
  await tx.query(END_OLDER, [id, sessionId])
  return {
    adopted: adopted.rows.map(claimedFromRow),
    requeued: requeued.rows.map(changedFromRow),
  }
}
