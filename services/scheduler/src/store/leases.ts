/**
 * Leases, counted in rounds (ADR 0009).
 *
 * Invariants:
 *  1. Rounds follow each other one by one, whoever begins them.
 *  2. A lease that lapses is in doubt for a whole round before it is over, so that what was held up, be it by the database,
 *     a lock or a pause, can still renew it. A row that is locked is left for the next round.
 *  3. What is over stays over.
 *  4. A session is charged at most once for a job, and only while no newer stream of it lives.
 */

import type { Database } from '@offstage/kit/database'
import type { AttachmentId } from '../domain/ids.ts'
import { leaving, TRANSITIONS } from '../domain/job-state.ts'
import type { LeaseStore } from '../ports/executors.ts'
import { HOLDER_COLUMN, keepingAttempts, STOPPED_IF_CANCELED } from './job-attempts.ts'
import { errorInSql } from './job-error-codec.ts'
import { type ChangedRow, changedFromRow } from './job-rows.ts'

const READ_ROUND = {
  name: 'read_lease_round',
  text: `
    SELECT round, extract(epoch FROM clock_timestamp() - begin_time)::float8 * 1000 AS age_ms
    FROM offstage.lease_rounds`,
}

const BEGIN_ROUND = {
  name: 'begin_lease_round',
  text: `
    WITH begun AS (
      UPDATE offstage.lease_rounds SET round = round + 1, begin_time = clock_timestamp()
      WHERE round = $1::bigint RETURNING round
    ), lapsed AS (
      SELECT a.id, begun.round
      FROM begun CROSS JOIN offstage.attachments a
      WHERE a.end_round IS NULL AND a.renew_round + a.extra_rounds <= begun.round - $2::int
      ORDER BY a.id FOR NO KEY UPDATE OF a SKIP LOCKED
    ), marked AS (
      UPDATE offstage.attachments a
      SET in_doubt = true, lost = a.in_doubt, end_round = CASE WHEN a.in_doubt THEN lapsed.round END
      FROM lapsed WHERE a.id = lapsed.id
      RETURNING a.id, a.lost
    )
    SELECT begun.round, ARRAY(SELECT marked.id FROM marked WHERE marked.lost) AS lost FROM begun`,
}

const POISONED = 'j.cancel_time IS NULL AND p.charge = 1 AND j.crash_count + 1 >= $2::int'

const LOST = `'The job was given up: ' || (j.crash_count + 1) || ' executors were lost while they ran it.'`

/**
 * A job whose executors keep dying ends as failed (row J16, poison). What was held by a session that attaches just now is left to the next
 * sweep, when it is known not to have died.
 */
const RELEASE_LOST = {
  name: 'release_lost',
  text: keepingAttempts({
    ctes: `picked AS (
      SELECT j.id, ${HOLDER_COLUMN}, a.session_key, (
        a.lost AND (a.session_key = ANY (j.crashed_sessions)) IS NOT TRUE AND NOT EXISTS (
          SELECT FROM offstage.attachments newer
          WHERE newer.session_key = a.session_key AND newer.end_round IS NULL))::int AS charge
      FROM offstage.attachments a JOIN offstage.jobs j ON j.attachment_id = a.id
      WHERE a.end_round IS NOT NULL AND ${leaving('requeue', 'j.state')}
      LIMIT $1::int FOR UPDATE OF j SKIP LOCKED FOR SHARE OF a SKIP LOCKED
    )`,
    from: 'p',
    error: `CASE WHEN j.state = ${TRANSITIONS.poison.to} THEN j.error END`,
    update: `
    UPDATE offstage.jobs j SET revision = j.revision + 1,
      attachment_id = NULL, crash_count = j.crash_count + p.charge,
      crashed_sessions = CASE WHEN p.charge = 1 THEN array_append(j.crashed_sessions, p.session_key)
        ELSE j.crashed_sessions END,
      state = CASE WHEN j.cancel_time IS NOT NULL THEN ${TRANSITIONS.cancelRunning.to}
        WHEN ${POISONED} THEN ${TRANSITIONS.poison.to} ELSE ${TRANSITIONS.requeue.to} END,
      cancel_outcome = ${STOPPED_IF_CANCELED},
      finish_time = CASE WHEN j.cancel_time IS NOT NULL OR ${POISONED} THEN now() END,
      error = CASE WHEN ${POISONED} THEN ${errorInSql(LOST, 'EXECUTOR_LOST')} ELSE j.error END
    FROM picked p WHERE j.id = p.id`,
  }),
}

const FORGET_ENDED = {
  name: 'forget_attachments',
  text: `
    WITH forgotten AS (
      DELETE FROM offstage.attachments a
      WHERE a.end_round < (SELECT round FROM offstage.lease_rounds) - $1::int AND NOT EXISTS (
        SELECT FROM offstage.jobs j WHERE j.attachment_id = a.id AND ${leaving('requeue', 'j.state')})
      RETURNING a.id, a.session_id, a.name
    ), past AS (
      INSERT INTO offstage.past_attachments (id, session_id, name) SELECT id, session_id, name FROM forgotten
    )
    DELETE FROM offstage.past_attachments WHERE forget_time < now() - interval '30 days'`,
}

export function createLeaseStore(database: Database): LeaseStore {
  return {
    async readRound() {
      const { rows } = await database.query<{ round: number; age_ms: number }>(READ_ROUND)
      const [row] = rows
      if (row === undefined) throw new Error('offstage.lease_rounds has lost its row')
      return { round: row.round, ageMs: row.age_ms }
    },
    async beginRound(round, leaseRounds) {
      const values = [round, leaseRounds]
      const { rows } = await database.query<{ round: number; lost: AttachmentId[] }>(
        BEGIN_ROUND,
        values,
      )
      return rows[0]
    },
    async releaseLost(limit, crashLimit) {
      const { rows } = await database.query<ChangedRow>(RELEASE_LOST, [limit, crashLimit])
      return rows.map(changedFromRow)
    },
    async forgetEnded(rounds) {
      await database.query(FORGET_ENDED, [rounds])
    },
  }
}
