/**
 * Leases of callers (rows L10, E3), by the database's clock.
 *
 * Invariants:
 *  1. One lives while its row is there and its end is ahead in the statement that looks (`leaseLives`); what has run out is never
 *     renewed. The sweep only tidies up.
 *  2. A renewal of one that holds a namespace excludes whatever takes it for run out (gates.ts): either it comes first, or it is too late.
 *  3. A clock that is put back makes none live longer: its end is brought back to one duration ahead.
 */
import type { Database, Queryable } from '@offstage/kit/database'
import type { CallerLease } from '../domain/caller-lease.ts'
import type { LeaseId } from '../domain/ids.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type { CallerLeaseStore } from '../ports/caller-leases.ts'
import { recordAct } from './acts.ts'
import { lockGates } from './lock-gates.ts'

/** SQL: whether the lease of an alias lives now, whenever its transaction was begun. */
export const leaseLives = (alias: string) => `${alias}.expire_time > clock_timestamp()`

const COLUMNS = 'l.id, l.owner, l.display_name, l.duration_ms, l.expire_time'
const ONE_DURATION_AHEAD = (duration: string) =>
  `clock_timestamp() + ${duration} * interval '1 millisecond'`

/** One that has run out under the same request gives its place to the new one. */
const CREATE = {
  name: 'create_caller_lease',
  text: `
    INSERT INTO offstage.caller_leases AS l (id, namespace, owner, display_name, request_id, duration_ms, expire_time)
    VALUES ($1::uuid, $2, $3, $4, $5, $6::bigint, ${ONE_DURATION_AHEAD('$6::bigint')})
    ON CONFLICT (namespace, owner, request_id) WHERE request_id IS NOT NULL DO UPDATE
      SET id = excluded.id, display_name = excluded.display_name, duration_ms = excluded.duration_ms,
        create_time = excluded.create_time, expire_time = excluded.expire_time
      WHERE NOT ${leaseLives('l')}
    RETURNING ${COLUMNS}`,
}

const FIND = {
  name: 'find_caller_lease',
  text: `
    SELECT ${COLUMNS} FROM offstage.caller_leases l
    WHERE l.namespace = $1 AND l.owner = $2 AND l.request_id = $3`,
}

/** As many as are too many suffice. */
const COUNT = {
  name: 'count_caller_leases',
  text: `
    SELECT count(*)::int AS count FROM (
      SELECT FROM offstage.caller_leases l WHERE l.owner = $1 AND ${leaseLives('l')} LIMIT $2::bigint + 1) counted`,
}

const renew = (name: string, condition: string) => ({
  name,
  text: `
    UPDATE offstage.caller_leases l SET expire_time = ${ONE_DURATION_AHEAD('l.duration_ms')}
    WHERE l.namespace = $1 AND l.id = $2::uuid AND l.owner = $3 AND ${leaseLives('l')} ${condition}
    RETURNING ${COLUMNS}`,
})
/** To be run under the lock of gates where a namespace is held by it: nobody may have taken it for run out meanwhile. */
export const RENEW_LEASE = renew('renew_caller_lease', '')
const RENEW_FREE = renew(
  'renew_free_caller_lease',
  'AND NOT EXISTS (SELECT FROM offstage.namespaces n WHERE n.exclusive_lease = l.id)',
)

const LIVES = {
  name: 'caller_lease_lives',
  text: `
    SELECT EXISTS (
      SELECT FROM offstage.caller_leases l
      WHERE l.namespace = $1 AND l.id = $2::uuid AND l.owner = $3 AND ${leaseLives('l')}) AS lives`,
}

const END = {
  name: 'end_caller_lease',
  text: `
    DELETE FROM offstage.caller_leases l
    WHERE l.namespace = $1 AND l.id = $2::uuid AND ($3::text IS NULL OR l.owner = $3)
    RETURNING ${COLUMNS}, EXISTS (SELECT FROM offstage.namespaces n WHERE n.exclusive_lease = l.id) AS held`,
}

const REMOVE_ENDED = {
  name: 'remove_ended_caller_leases',
  text: `
    DELETE FROM offstage.caller_leases WHERE id IN (
      SELECT l.id FROM offstage.caller_leases l WHERE NOT ${leaseLives('l')}
      ORDER BY l.expire_time LIMIT $1::int FOR UPDATE SKIP LOCKED)`,
}

/** The clock was put back since it was renewed. */
const BRING_BACK = {
  name: 'bring_back_caller_leases',
  text: `
    UPDATE offstage.caller_leases l SET expire_time = ${ONE_DURATION_AHEAD('l.duration_ms')}
    WHERE l.expire_time > ${ONE_DURATION_AHEAD('l.duration_ms')}`,
}

interface Row {
  id: LeaseId
  owner: string
  display_name: string
  duration_ms: number
  expire_time: Date
}

export function createCallerLeaseStore(database: Database): CallerLeaseStore {
  return {
    create: (lease, ownerMax) => {
      const { id, namespace, owner, displayName, requestId, durationMs } = lease
      const values = [id, namespace, owner, displayName, requestId || null, durationMs]
      return database.transaction(async (tx) => {
        const { rows } = await tx.query<Row>(CREATE, values)
        if (rows[0] === undefined) {
          const found = await tx.query<Row>(FIND, [namespace, owner, requestId])
          return found.rows[0] && leaseFromRow(found.rows[0])
        }
        const counted = await tx.query<{ count: number }>(COUNT, [owner, ownerMax])
        if ((counted.rows[0]?.count ?? 0) <= ownerMax) return leaseFromRow(rows[0])
        await tx.query(END, [namespace, id, owner])
        return undefined
      })
    },
    async renew(namespace, id, owner) {
      const values = [namespace, id, owner]
      const free = await database.query<Row>(RENEW_FREE, values)
      const [row] = free.rows.length > 0 ? free.rows : await renewHolding(database, values)
      return row && leaseFromRow(row)
    },
    end: (namespace, id, owner, by) =>
      database.transaction(async (tx) => {
        const { rows } = await tx.query<Row & { held: boolean }>(END, [
          namespace,
          id,
          owner ?? null,
        ])
        for (const ended of rows) {
          if (ended.owner === by.user) continue
          const of = { targets: [ended.id], owners: [ended.owner] }
          await recordAct(tx, { by, namespace, ...of, outcome: 'OK' })
        }
        return rows[0]?.held ?? false
      }),
    async removeEnded(limit) {
      await database.query(BRING_BACK, [])
      return (await database.query(REMOVE_ENDED, [limit])).rowCount
    },
  }
}

/** Whether the owner of the start has the lease that it names. */
export function hasLease(
  database: Queryable,
  { namespace, leaseId, owner }: Pick<StartCommand, 'namespace' | 'leaseId' | 'owner'>,
): Promise<boolean> {
  return lives(database, [namespace, leaseId, owner])
}

async function lives(database: Queryable, values: readonly unknown[]): Promise<boolean> {
  const { rows } = await database.query<{ lives: boolean }>(LIVES, values)
  return rows[0]?.lives ?? false
}

/** Nothing is locked for one that is not there. */
function renewHolding(database: Database, values: readonly unknown[]): Promise<readonly Row[]> {
  return database.transaction(async (tx) => {
    if (!(await lives(tx, values))) return []
    await lockGates(tx)
    return (await tx.query<Row>(RENEW_LEASE, values)).rows
  })
}

function leaseFromRow(row: Row): CallerLease {
  return {
    id: row.id,
    owner: row.owner,
    displayName: row.display_name,
    durationMs: row.duration_ms,
    expireTime: row.expire_time,
  }
}
