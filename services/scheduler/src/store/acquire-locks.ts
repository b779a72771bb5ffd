/**
 * How locks are taken.
 *
 * Invariants:
 *  1. Who takes locks has the turns of their names first, in order, and looks only then: so of two that exclude each other the second
 *     sees the first, and nobody waits here for who waits for them.
 *  2. Nobody is granted a lock whose holder is there, nor one that somebody waits for who came before.
 *  3. What is void is removed when the next one is granted, so that nothing brings it back.
 *  4. A lease that is taken for run out is locked first: a renewal that was under way meanwhile came before, and counts.
 *  5. A wait begins within the last of the turns, together with the look for a circle.
 */
import type { Database, Queryable } from '@offstage/kit/database'
import type { LockRequest } from '../domain/lock.ts'
import type { LockAttempt } from '../ports/locks.ts'
import { leaseLives } from './caller-leases.ts'
import { findCircle } from './lock-circles.ts'
import {
  type ConflictRow,
  conflictFromRow,
  holderValues,
  isHeld,
  isWaiting,
  LOCK_COLUMNS,
  type LockRow,
  lockFromRow,
} from './lock-rows.ts'

/**
 * Turns are taken for moments; a replica that freezes with one holds the others up no longer. A line of a thousand is walked from its
 * head, whatever the planner knows of tables that are empty most of the time. What it takes for dear then is not compiled: that alone takes
 * longer than a turn.
 */
const TURN_MS = 2_000
export const LIMIT_TURNS = {
  name: 'limit_lock_turns',
  text: `
    SELECT set_config('lock_timeout', '${TURN_MS}', true),
      set_config('idle_in_transaction_session_timeout', '${TURN_MS}', true),
      set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),
      set_config('jit', 'off', true)`,
}

const WAITS_TURN = 64
const TAKE_TURNS = {
  name: 'take_lock_turns',
  text: `
    SELECT FROM offstage.lock_turns t
    WHERE t.turn IN (SELECT (hashtextextended($1 || ' ' || u.name, 0) & 63)::smallint FROM unnest($2::text[]) AS u(name))
    ORDER BY t.turn FOR UPDATE`,
}
export const TAKE_WAITS_TURN = {
  name: 'take_turn_of_lock_waits',
  text: `SELECT FROM offstage.lock_turns t WHERE t.turn = ${WAITS_TURN} FOR UPDATE`,
}

/** $4 to $6: the holder. */
const OWN = (row: string) =>
  `${row}.job_id IS NOT DISTINCT FROM $4::uuid AND ${row}.attempt IS NOT DISTINCT FROM $5::int AND ${row}.lease_id IS NOT DISTINCT FROM $6::uuid`
/** $7: the request id. */
const SAME_REQUEST = (row: string) =>
  `($7::text IS NOT NULL AND ${row}.request_id = $7 AND ${OWN(row)})`

/** The first name that a transaction of an application's own holds: until this one is over, none takes any of those before it. */
const IN_TRANSACTION = `
      SELECT u.name FROM unnest($2::text[]) AS u(name)
      WHERE NOT CASE WHEN $3 THEN pg_try_advisory_xact_lock(offstage.lock_key($1, u.name))
        ELSE pg_try_advisory_xact_lock_shared(offstage.lock_key($1, u.name)) END
      LIMIT 1`
/** Who that is. */
const HOLDING_TRANSACTION = `
      SELECT h.owner, h.since FROM offstage.locks_of_transactions() h
      WHERE h.held AND h.key = offstage.lock_key($1, t.name) ORDER BY h.since LIMIT 1`

const LEASES_RUN_OUT = `
      FROM offstage.caller_leases lease
      WHERE lease.id IN (SELECT l.lease_id FROM offstage.locks l WHERE l.namespace = $1 AND l.name = ANY ($2::text[]))
        AND NOT ${leaseLives('lease')}`
const LOCK_LEASES_RUN_OUT = {
  name: 'lock_leases_run_out',
  text: `SELECT ${LEASES_RUN_OUT} ORDER BY lease.id FOR UPDATE`,
}

/** Whether the holder is there, its place in line where the request has one, and the first thing in its way. $8: the place. */
const LOOK = {
  name: 'look_at_locks',
  text: `
    WITH own AS MATERIALIZED (
      SELECT coalesce($8::bigint, (
        SELECT min(w.place) FROM offstage.lock_waits w
        WHERE w.namespace = $1 AND w.name = ANY ($2::text[]) AND ${SAME_REQUEST('w')})) AS place
    ), in_transaction AS MATERIALIZED (${IN_TRANSACTION}
    ), in_the_way AS (
      (SELECT false AS is_waiting, l.* FROM unnest($2::text[]) AS u(name) CROSS JOIN LATERAL (
          SELECT l.name, l.owner, l.job_id, l.attempt, l.lease_id, l.acquire_time AS since
          FROM offstage.locks l
          WHERE l.namespace = $1 AND l.name = u.name AND (l.exclusive OR $3) AND NOT ${SAME_REQUEST('l')} AND ${isHeld('l')}
          ORDER BY l.token LIMIT 1) l
        LIMIT 1)
      UNION ALL
      (SELECT true, w.* FROM own CROSS JOIN unnest($2::text[]) AS u(name) CROSS JOIN LATERAL (
          SELECT w.name, w.owner, w.job_id, w.attempt, w.lease_id, w.wait_time
          FROM offstage.lock_waits w
          WHERE w.namespace = $1 AND w.name = u.name AND (w.exclusive OR $3) AND (own.place IS NULL OR w.place < own.place)
            AND ${isWaiting('w')}
          ORDER BY w.place LIMIT 1) w
        WHERE NOT EXISTS (SELECT FROM offstage.locks l
          WHERE l.namespace = $1 AND l.name = ANY ($2::text[]) AND ${SAME_REQUEST('l')})
        LIMIT 1)
      UNION ALL
      (SELECT false, t.name, coalesce(holding.owner, 'sql'), NULL, NULL, NULL, coalesce(holding.since, clock_timestamp())
        FROM in_transaction t LEFT JOIN LATERAL (${HOLDING_TRANSACTION}) holding ON true)
    )
    SELECT ${isHeld('given')} AS holder_is_there, own.place, EXISTS (SELECT ${LEASES_RUN_OUT}) AS some_run_out, first.*
    FROM own CROSS JOIN (SELECT $1 AS namespace, $4::uuid AS job_id, $5::int AS attempt, $6::uuid AS lease_id) given
    LEFT JOIN LATERAL (SELECT * FROM in_the_way ORDER BY is_waiting LIMIT 1) first ON true`,
}

type LookRow = { holder_is_there: boolean; place: number | null; some_run_out: boolean } & (
  | ConflictRow
  | { is_waiting: null }
)

/** $8: the owner, $9: its place. */
const GRANT = {
  name: 'grant_locks',
  text: `
    WITH cleared AS (
      DELETE FROM offstage.locks l
      WHERE l.namespace = $1 AND l.name = ANY ($2::text[]) AND (${SAME_REQUEST('l')} OR NOT ${isHeld('l')})
    ), served AS (
      DELETE FROM offstage.lock_waits w WHERE w.place = $9::bigint
    ), next AS MATERIALIZED (
      SELECT nextval('offstage.lock_numbers') AS token
    )
    INSERT INTO offstage.locks AS l (namespace, name, token, exclusive, owner, job_id, attempt, lease_id, request_id)
    SELECT $1, u.name, next.token, $3, $8, $4::uuid, $5::int, $6::uuid, $7
    FROM next CROSS JOIN unnest($2::text[]) AS u(name)
    RETURNING ${LOCK_COLUMNS}`,
}

/** A place that it has is kept. */
const STAND_IN_LINE = {
  name: 'stand_in_line_for_locks',
  text: `
    WITH next AS MATERIALIZED (
      SELECT coalesce($9::bigint, nextval('offstage.lock_numbers')) AS place
    )
    INSERT INTO offstage.lock_waits (namespace, name, place, exclusive, owner, job_id, attempt, lease_id, request_id)
    SELECT $1, u.name, next.place, $3, $8, $4::uuid, $5::int, $6::uuid, $7
    FROM next CROSS JOIN unnest($2::text[]) AS u(name)
    ON CONFLICT (namespace, name, place) DO UPDATE SET seen_time = clock_timestamp()
    RETURNING place`,
}

export const WITHDRAW = {
  name: 'withdraw_lock_waits',
  text: 'DELETE FROM offstage.lock_waits WHERE place = ANY ($1::bigint[])',
}

export function acquireLocks(
  database: Database,
  request: LockRequest,
  wait: { readonly place: number | undefined; readonly waits: boolean },
): Promise<LockAttempt> {
  return database.transaction((tx) => acquire(tx, request, wait))
}

async function acquire(
  tx: Queryable,
  request: LockRequest,
  wait: { readonly place: number | undefined; readonly waits: boolean },
): Promise<LockAttempt> {
  const { namespace, names, exclusive, owner, holder, requestId } = request
  const asked = [namespace, names, exclusive, ...holderValues(holder), requestId || null]
  await tx.query(LIMIT_TURNS)
  await tx.query(TAKE_TURNS, [namespace, names])
  const look = await lookAt(tx, [...asked, wait.place])
  if (look === undefined || !look.holder_is_there) {
    if (look?.place) await tx.query(WITHDRAW, [[look.place]])
    return { kind: 'holder-over' }
  }
  if (look.is_waiting === null) {
    const granted = await tx.query<LockRow>(GRANT, [...asked, owner, look.place])
    return { kind: 'acquired', locks: granted.rows.map(lockFromRow).sort(byName) }
  }
  const conflict = conflictFromRow(look)
  if (!wait.waits) return { kind: 'taken', conflict, place: look.place ?? undefined }
  await tx.query(TAKE_WAITS_TURN)
  const line = await tx.query<{ place: number }>(STAND_IN_LINE, [...asked, owner, look.place])
  const place = line.rows[0]?.place ?? 0
  // One that stood in line already has been looked at when it began to. Behind a transaction it is tried again and again, since nobody tells of
  // the end of that, and so is seldom there when the sweep looks.
  const behindTransaction = conflict.holder.kind === 'transaction'
  const looks = look.place === null || behindTransaction
  const circle = looks ? await findCircle(tx, request, place, behindTransaction) : undefined
  if (circle === undefined) return { kind: 'taken', conflict, place }
  await tx.query(WITHDRAW, [[place]])
  return { kind: 'deadlock', circle }
}

async function lookAt(tx: Queryable, asked: readonly unknown[]): Promise<LookRow | undefined> {
  const look = async () => (await tx.query<LookRow>(LOOK, asked)).rows[0]
  const first = await look()
  if (first?.is_waiting !== null || !first.some_run_out) return first
  await tx.query(LOCK_LEASES_RUN_OUT, asked.slice(0, 2))
  return look()
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1
}
