import type { Database, Queryable } from '@offstage/kit/database'
import type { ScopeId } from '../domain/identifier.ts'
import { EVERYTHING } from '../domain/reach.ts'
import type { Scope, ScopeStore } from '../ports/scopes.ts'
import type { GoneValue } from '../ports/values.ts'
import { Fault, orFault } from './fault.ts'
import { type Once, once } from './once.ts'
import { reachValues, withinReach } from './within-reach.ts'

const LIVES = 'close_time IS NULL AND expire_time > clock_timestamp()'

const OPEN: Once = {
  find: {
    name: 'storage_find_opened',
    text: `SELECT id, lease_ms FROM offstage_storage.scopes
      WHERE namespace = $1 AND owner = $2 AND request_id = $3 AND ${LIVES}`,
  },
  free: {
    name: 'storage_free_opened',
    text: `UPDATE offstage_storage.scopes SET request_id = NULL
      WHERE namespace = $1 AND owner = $2 AND request_id = $3 AND NOT (${LIVES})`,
  },
  make: {
    name: 'storage_open_scope',
    text: `INSERT INTO offstage_storage.scopes
        (namespace, owner, request_id, id, display_name, lease_ms, expire_time)
      VALUES ($1, $2, $3, $4, $5, $6, now() + $6::bigint * interval '1 millisecond')
      ON CONFLICT (namespace, owner, request_id) WHERE request_id IS NOT NULL DO NOTHING
      RETURNING id, lease_ms`,
  },
}

/** As many as are too many suffice. */
const COUNT_OPEN = {
  name: 'storage_count_open_scopes',
  text: `SELECT count(*)::int AS count FROM (
      SELECT FROM offstage_storage.scopes WHERE owner = $1 AND ${LIVES} LIMIT $2::bigint + 1) AS counted`,
}

const FIND = {
  name: 'storage_find_scope',
  text: `SELECT id, namespace, owner,
      CASE WHEN close_time IS NULL AND expire_time > now() THEN 'open' ELSE 'closed' END AS state
    FROM offstage_storage.scopes WHERE id = $1 AND ${withinReach(2)}`,
}

const KEEP_ALIVE = {
  name: 'storage_keep_scope_alive',
  text: `UPDATE offstage_storage.scopes
    SET expire_time = clock_timestamp() + lease_ms * interval '1 millisecond'
    WHERE id = $1 AND close_time IS NULL AND expire_time > clock_timestamp() RETURNING expire_time`,
}

/**
 * From its commit on no put holds the scope any more; it does not wait for those that do. It deletes
 * itself what is there, before a sweep can see the scope closed.
 */
const CLOSE = {
  name: 'storage_close_scope',
  text: `WITH closed AS (
      UPDATE offstage_storage.scopes SET close_time = now() WHERE id = $1 AND close_time IS NULL
      RETURNING id)
    DELETE FROM offstage_storage.temp_values WHERE address IN (
      SELECT v.address FROM offstage_storage.temp_values v JOIN closed ON closed.id = v.scope
      LIMIT $2::int FOR UPDATE OF v)
    RETURNING address, namespace`,
}

/** After CLOSE there are ever fewer of them, so no stream of puts can hold it up (see hold_scope). */
const AWAIT_PUTS = {
  name: 'storage_await_puts_of_scope',
  text: 'SELECT FROM offstage_storage.scopes WHERE id = $1 FOR UPDATE',
}

const DELETE_VALUES = {
  name: 'storage_delete_scope_values',
  text: `DELETE FROM offstage_storage.temp_values WHERE address IN (
      SELECT v.address FROM offstage_storage.temp_values v
      JOIN offstage_storage.scopes s ON s.id = v.scope
      WHERE v.scope = $1 AND s.close_time IS NOT NULL LIMIT $2::int FOR UPDATE OF v)
    RETURNING address, namespace`,
}

export function createScopeStore(database: Database, ownerScopesMax: number): ScopeStore {
  return {
    open({ id, namespace, owner, displayName, leaseMs, requestId }) {
      return orFault(database, async (tx) => {
        const request = [namespace, owner, requestId] as const
        const given = [id, displayName, leaseMs]
        const row = await once<{ id: ScopeId; lease_ms: number }>(tx, OPEN, request, given)
        if (row.id === id) await keepLimit(tx, owner, ownerScopesMax)
        return { id: row.id, leaseMs: row.lease_ms }
      })
    },
    find: async (id, reach = EVERYTHING) =>
      (await database.query<Scope>(FIND, [id, ...reachValues(reach)])).rows[0],
    async keepAlive(id) {
      const { rows } = await database.query<{ expire_time: Date }>(KEEP_ALIVE, [id])
      return rows[0]?.expire_time
    },
    async close(id, limit) {
      const { rows } = await database.query<GoneValue>(CLOSE, [id, limit])
      await database.query(AWAIT_PUTS, [id])
      return rows
    },
    deleteValues: async (id, limit) =>
      (await database.query<GoneValue>(DELETE_VALUES, [id, limit])).rows,
  }
}

/** After the new one was made: it counts. */
async function keepLimit(tx: Queryable, owner: string, max: number): Promise<void> {
  const { rows } = await tx.query<{ count: number }>(COUNT_OPEN, [owner, max])
  if ((rows[0]?.count ?? 0) <= max) return
  throw new Fault({ kind: 'over-quota', quota: `${max} open scopes for an owner` })
}
