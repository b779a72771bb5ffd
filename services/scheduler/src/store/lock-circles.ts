/** Who waits for whom, as the database has it: found from who is about to wait outwards (domain/wait-circle.ts). */
import type { Queryable } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { LockRequest } from '../domain/lock.ts'
import { Dependents, type Party, type WaitLink } from '../domain/wait-circle.ts'
import { isHeld } from './lock-rows.ts'
import { TRANSACTION_BLOCKERS, TRANSACTION_DEPENDENTS } from './transaction-waits.ts'

/** What is farther away, or more, is not looked at: a wait has a timeout. */
const STEPS_MAX = 100
const PARTIES_MAX = 10_000

/** A parent has heard of the end of its child by then. */
const HEARD_MS = 2_000

/** $1: jobs, $2: leases. */
const OF_PARTIES = (row: string) =>
  `(${row}.job_id = ANY ($1::uuid[]) OR ${row}.lease_id = ANY ($2::uuid[]))`
const WAITER = 'w.job_id, w.lease_id, w.owner'

/**
 * Who waits for these parties: for locks they hold; behind them in line, where the foremost of them stands for all; for their keys; and
 * for them as children. What a parent waits for is not known: it may go on with the end of any child, so it waits where none of them is
 * left that does not, nor has one ended that it may not have heard of. $3: all jobs that are known to wait.
 */
const DEPENDENTS = {
  name: 'read_lock_dependents',
  text: `
    SELECT 'lock' AS kind, w.name, ${WAITER}, l.job_id AS on_job, l.lease_id AS on_lease, l.owner AS on_owner
    FROM offstage.locks l
    JOIN offstage.lock_waits w ON w.namespace = l.namespace AND w.name = l.name AND (w.exclusive OR l.exclusive)
    WHERE ${OF_PARTIES('l')} AND ${isHeld('l')} AND ${isHeld('w')}
    UNION ALL
    SELECT 'lock', w.name, ${WAITER}, o.job_id, o.lease_id, o.owner
    FROM (
      SELECT o.namespace, o.name, min(o.place) AS place, min(o.place) FILTER (WHERE o.exclusive) AS exclusive_place,
        (array_agg(o.job_id ORDER BY o.place))[1] AS job_id, (array_agg(o.lease_id ORDER BY o.place))[1] AS lease_id,
        (array_agg(o.owner ORDER BY o.place))[1] AS owner
      FROM offstage.lock_waits o WHERE ${OF_PARTIES('o')}
      GROUP BY o.namespace, o.name
    ) o
    JOIN offstage.lock_waits w ON w.namespace = o.namespace AND w.name = o.name
      AND w.place > CASE WHEN w.exclusive THEN o.place ELSE o.exclusive_place END
    WHERE ${isHeld('w')}
    UNION ALL
    SELECT 'key', k.key, b.id, NULL, b.owner, k.id, NULL, k.owner
    FROM offstage.jobs k
    JOIN offstage.jobs b ON b.namespace = k.namespace AND b.method = k.method AND b.key = k.key
      AND b.state = ${JobState.scheduled} AND b.behind_key
    WHERE k.id = ANY ($1::uuid[]) AND k.key IS NOT NULL AND k.state < ${JobState.succeeded} AND NOT k.behind_key
    UNION ALL
    SELECT 'child', '', p.id, NULL, p.owner, c.id, NULL, c.owner
    FROM offstage.jobs c JOIN offstage.jobs p ON p.id = c.parent_id AND p.state = ${JobState.waiting}
    WHERE c.id = ANY ($1::uuid[]) AND c.state < ${JobState.succeeded} AND NOT EXISTS (
      SELECT FROM offstage.jobs other
      WHERE other.parent_id = p.id AND (other.state < ${JobState.succeeded} AND other.id <> ALL ($3::uuid[])
        OR other.finish_time > clock_timestamp() - interval '${HEARD_MS} ms'))`,
}

/**
 * Jobs for which all places of a limit are taken by these parties. They matter where holders of locks wait for them: so only what is
 * below such is looked at, and nothing where none of the parties is limited. $3: the namespace.
 */
const LIMITED = {
  name: 'read_lock_dependents_by_limit',
  text: `
    WITH RECURSIVE below AS (
      SELECT c.id, c.state FROM offstage.locks l
      JOIN offstage.jobs p ON p.id = l.job_id AND p.attempt = l.attempt AND p.state = ${JobState.waiting}
      JOIN offstage.jobs c ON c.parent_id = p.id AND c.state < ${JobState.succeeded}
      WHERE l.namespace = $3 AND EXISTS (SELECT FROM offstage.jobs d WHERE d.id = ANY ($1::uuid[]) AND d.limited)
      UNION
      SELECT c.id, c.state FROM below
      JOIN offstage.jobs c ON c.parent_id = below.id AND c.state < ${JobState.succeeded}
      WHERE below.state = ${JobState.waiting}
    )
    SELECT 'limit' AS kind, q.method AS name, q.id AS job_id, NULL AS lease_id, q.owner,
      held.first_id AS on_job, NULL AS on_lease, held.first_owner AS on_owner
    FROM (SELECT id FROM below WHERE state = ${JobState.queued} LIMIT ${PARTIES_MAX}) b
    JOIN offstage.jobs q ON q.id = b.id
    JOIN offstage.method_limits m ON m.namespace = q.namespace AND m.method = q.method AND m.max_concurrency IS NOT NULL
    CROSS JOIN LATERAL (
      SELECT count(*) AS places, bool_and(h.id = ANY ($1::uuid[])) AS by_these,
        (array_agg(h.id ORDER BY h.start_time))[1] AS first_id, (array_agg(h.owner ORDER BY h.start_time))[1] AS first_owner
      FROM offstage.jobs h
      WHERE h.namespace = q.namespace AND h.method = q.method AND h.limited
        AND h.state IN (${JobState.running}, ${JobState.waiting})
        AND (NOT m.keyed OR h.limit_key = coalesce(q.limit_key, ''))
    ) held
    WHERE held.places >= m.max_concurrency AND held.by_these AND $2::uuid[] IS NOT NULL`,
}

/** Whom a wait for these names has to wait for, of some parties. $3: namespace, $4: names, $5: exclusive, $6: its place. */
const BLOCKERS = {
  name: 'read_lock_blockers',
  text: `
    SELECT 'lock' AS kind, l.name, l.job_id AS on_job, l.lease_id AS on_lease, l.owner AS on_owner
    FROM offstage.locks l
    WHERE l.namespace = $3 AND l.name = ANY ($4::text[]) AND (l.exclusive OR $5) AND ${OF_PARTIES('l')} AND ${isHeld('l')}
    UNION ALL
    SELECT 'lock', w.name, w.job_id, w.lease_id, w.owner
    FROM offstage.lock_waits w
    WHERE w.namespace = $3 AND w.name = ANY ($4::text[]) AND (w.exclusive OR $5) AND w.place < $6::bigint
      AND ${OF_PARTIES('w')} AND ${isHeld('w')}
    LIMIT 1`,
}

interface OnRow {
  kind: WaitLink['for']
  name: string
  on_job: string | null
  on_lease: string | null
  on_pid?: number | null
  on_owner: string
}

interface LinkRow extends OnRow {
  job_id: string | null
  lease_id: string | null
  pid?: number | null
  owner: string
}

/**
 * The circle in which who waits at a place waits for itself; undefined where there is none.
 *
 * @param transactions whether those of applications are looked at, too
 */
export async function findCircle(
  tx: Queryable,
  { namespace, names, exclusive, owner, holder }: LockRequest,
  place: number,
  transactions: boolean,
): Promise<WaitLink[] | undefined> {
  const self: Party =
    holder.kind === 'job'
      ? { kind: 'job', id: holder.jobId, owner }
      : { kind: 'lease', id: holder.leaseId, owner }
  const dependents = new Dependents(self)
  let frontier = [self]
  for (let step = 0; step < STEPS_MAX && frontier.length > 0; step++) {
    if (dependents.size > PARTIES_MAX) break
    const ids = idsOf(frontier)
    const all = idsOf(dependents.all())
    const found = [...(await tx.query<LinkRow>(DEPENDENTS, [ids.job, ids.lease, all.job])).rows]
    if (transactions) {
      const values = [ids.job, ids.lease, ids.transaction]
      found.push(...(await tx.query<LinkRow>(TRANSACTION_DEPENDENTS, values)).rows)
    }
    frontier = dependents.add(found.map(linkFromRow))
    if (frontier.length > 0) continue
    // By a limit one waits for all that have its places: so it takes all that are known.
    const limited = await tx.query<LinkRow>(LIMITED, [all.job, all.lease, namespace])
    frontier = dependents.add(limited.rows.map(linkFromRow))
  }
  const { job, lease, transaction } = idsOf(dependents.all())
  const values = [job, lease, namespace, names, exclusive, place]
  let [row] = (await tx.query<OnRow>(BLOCKERS, values)).rows
  if (row === undefined && transaction.length > 0) {
    const ofTransactions = [namespace, names, exclusive, transaction]
    ;[row] = (await tx.query<OnRow>(TRANSACTION_BLOCKERS, ofTransactions)).rows
  }
  if (row === undefined) return undefined
  return dependents.circle({ party: self, for: row.kind, name: row.name, on: blockerOf(row) })
}

function idsOf(parties: readonly Party[]): Record<Party['kind'], string[]> {
  const ids = { job: [], lease: [], transaction: [] } as Record<Party['kind'], string[]>
  for (const { kind, id } of parties) ids[kind].push(id)
  return ids
}

function linkFromRow(row: LinkRow): WaitLink {
  const party = partyOf(row.job_id, row.lease_id, row.pid, row.owner)
  return { party, for: row.kind, name: row.name, on: blockerOf(row) }
}

function blockerOf({ on_job, on_lease, on_pid, on_owner }: OnRow): Party {
  return partyOf(on_job, on_lease, on_pid, on_owner)
}

function partyOf(
  jobId: string | null,
  leaseId: string | null,
  pid: number | null | undefined,
  owner: string,
): Party {
  if (jobId !== null) return { kind: 'job', id: jobId, owner }
  if (leaseId !== null) return { kind: 'lease', id: leaseId, owner }
  return { kind: 'transaction', id: String(pid), owner }
}
