/**
 * Who waits for transactions of applications, and for whom these wait, as far as data locks have to do with it: what is held in the
 * database beside them is seen where it keeps a transaction from going on that holds one.
 */
import { isHeld } from './lock-rows.ts'

/** SQL: whether a transaction says that it waits for the lock of a row, and has not got it since. A shared one waits for who has it exclusively. */
const isAwaited = (row: string) => `
  (t.key = offstage.lock_wait_key(${row}.namespace, ${row}.name, false)
    OR (${row}.exclusive AND t.key = offstage.lock_wait_key(${row}.namespace, ${row}.name, true)))
  AND NOT EXISTS (SELECT FROM t own
    WHERE own.pid = t.pid AND own.held AND own.key = offstage.lock_key(${row}.namespace, ${row}.name)
      AND (own.exclusive OR t.key = offstage.lock_wait_key(${row}.namespace, ${row}.name, true)))`

const OF_PARTIES = (row: string) =>
  `(${row}.job_id = ANY ($1::uuid[]) OR ${row}.lease_id = ANY ($2::uuid[]))`

/**
 * Transactions that wait for a lock of these parties, or for one that these wait for by a call, since calls come first; who waits by a call
 * for a lock that one of these transactions has; and transactions that PostgreSQL has wait for these. $3: processes.
 */
export const TRANSACTION_DEPENDENTS = {
  name: 'read_lock_dependents_of_transactions',
  text: `
    WITH t AS MATERIALIZED (SELECT * FROM offstage.locks_of_transactions() t)
    SELECT 'lock' AS kind, l.name, NULL::uuid AS job_id, NULL::uuid AS lease_id, t.pid, t.owner,
      l.job_id AS on_job, l.lease_id AS on_lease, NULL::int AS on_pid, l.owner AS on_owner
    FROM offstage.locks l JOIN t ON ${isAwaited('l')} WHERE ${OF_PARTIES('l')} AND ${isHeld('l')}
    UNION ALL
    SELECT 'lock', w.name, NULL, NULL, t.pid, t.owner, w.job_id, w.lease_id, NULL, w.owner
    FROM offstage.lock_waits w JOIN t ON ${isAwaited('w')} WHERE ${OF_PARTIES('w')} AND ${isHeld('w')}
    UNION ALL
    SELECT 'lock', w.name, w.job_id, w.lease_id, NULL, w.owner, NULL, NULL, t.pid, t.owner
    FROM offstage.lock_waits w
    JOIN t ON t.held AND t.key = offstage.lock_key(w.namespace, w.name) AND (t.exclusive OR w.exclusive)
    WHERE t.pid = ANY ($3::int[]) AND ${isHeld('w')}
    UNION ALL
    SELECT 'transaction', '', NULL, NULL, waiting.pid, 'sql:' || coalesce(a.usename, '?'), NULL, NULL, b.pid,
      'sql:' || coalesce(on_a.usename, '?')
    FROM (SELECT DISTINCT k.pid FROM pg_locks k WHERE NOT k.granted AND $3::int[] <> '{}') waiting
    CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) b(pid)
    LEFT JOIN pg_stat_activity a ON a.pid = waiting.pid LEFT JOIN pg_stat_activity on_a ON on_a.pid = b.pid
    WHERE b.pid = ANY ($3::int[])`,
}

/** A lock that one of these transactions has and who asks for these names is kept out by. $1: namespace, $2: names, $3: exclusive, $4: processes. */
export const TRANSACTION_BLOCKERS = {
  name: 'read_lock_blockers_of_transactions',
  text: `
    SELECT 'lock' AS kind, u.name, NULL AS on_job, NULL AS on_lease, t.pid AS on_pid, t.owner AS on_owner
    FROM unnest($2::text[]) AS u(name)
    JOIN offstage.locks_of_transactions() t ON t.held AND t.key = offstage.lock_key($1, u.name) AND (t.exclusive OR $3)
    WHERE t.pid = ANY ($4::int[])
    LIMIT 1`,
}

/** SQL: whether a transaction waits for what a wait's holder has or is to have first. */
export const AWAITED_BY_TRANSACTION = `
  EXISTS (SELECT FROM t WHERE ${isAwaited('w')})
  OR EXISTS (SELECT FROM offstage.locks l JOIN t ON ${isAwaited('l')} WHERE l.job_id = w.job_id OR l.lease_id = w.lease_id)`
