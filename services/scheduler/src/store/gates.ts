/**
 * The gates as the database has them, and how they are closed against statements under way on any replica.
 *
 * Whatever lets a job begin reads the gates in the statement that does it, and takes the weak lock of {@link GATES_HELD} on
 * `gate_epoch` first: on the table, not on its row, so that it writes nothing and waits for nobody but who changes a gate. A
 * change takes the strong lock. So it waits for what let jobs begin by the gates as they were, and what comes after it is
 * begun with a snapshot that sees it. Neither is in the way of readers, a backup included.
 */
import type { Database, Queryable, Statement } from '@offstage/kit/database'
import type { ActBy } from '../domain/act.ts'
import type { Pause } from '../domain/gate.ts'
import { poolFrom, spelledPool } from '../domain/pool.ts'
import type { GateStore } from '../ports/namespaces.ts'
import { recordAct } from './acts.ts'
import { beginEpoch, lockGates } from './lock-gates.ts'
import { LIMITS_AS_JSON, type LimitRow, limitsOfMethods } from './method-limits.ts'

/** SQL, true: takes the lock that the changes of gates wait for. `IS NULL` finds no row that would be locked. */
export const GATES_HELD =
  'NOT EXISTS (SELECT FROM offstage.gate_epoch held WHERE held.epoch IS NULL FOR KEY SHARE)'

/**
 * SQL: whether gates have changed since the replica read them, in the round `epoch`; never for NULL. Takes the lock of {@link GATES_HELD}.
 * Found out once for each statement, and no row is locked while they have not.
 */
export const gatesMoved = (epoch: string) =>
  `EXISTS (SELECT FROM offstage.gate_epoch now WHERE now.epoch <> ${epoch}::bigint FOR KEY SHARE)`

const PAUSED = 'gate.pause_time IS NOT NULL'

/** SQL: whether no gate holds back the jobs of a method in a pool, as it is spelled; by `closed` those of methods alone. */
export const isOpen = (namespace: string, method: string, pool: string, closed = PAUSED) => `
  NOT EXISTS (SELECT FROM offstage.namespaces gate
    WHERE gate.name = ${namespace} AND (${PAUSED} OR gate.pool_pauses ? ${pool}))
  AND NOT EXISTS (SELECT FROM offstage.method_gates gate
    WHERE gate.namespace = ${namespace} AND gate.method = ${method} AND (${closed}))`

/** SQL: the same, and whether the method has no limits: what has is claimed apart (claim-limited.ts). */
export const isOpenAndUnlimited = (namespace: string, method: string, pool: string) =>
  isOpen(namespace, method, pool, `${PAUSED} OR gate.limited`)

/** SQL: whether nobody has the namespace exclusively; whoever does claims apart (claim-jobs.ts). */
export const isShared = (namespace: string) =>
  `NOT EXISTS (SELECT FROM offstage.exclusive_holder(${namespace}))`

/** SQL for the names of the pools of a namespace that are paused, in order. */
export const pausedPools = (namespace: string) => `ARRAY(
      SELECT u.pool FROM offstage.namespaces gate CROSS JOIN LATERAL jsonb_object_keys(gate.pool_pauses) AS u(pool)
      WHERE gate.name = ${namespace} ORDER BY u.pool)`

/** In one snapshot: the closed gates belong to the epoch. */
const READ_GATES = {
  name: 'read_gates',
  text: `
    SELECT now.epoch,
      ARRAY(SELECT name FROM offstage.namespaces WHERE pause_time IS NOT NULL) AS namespaces,
      (SELECT json_agg(json_build_object('namespace', gate.name, 'pool', u.pool))
        FROM offstage.namespaces gate CROSS JOIN LATERAL jsonb_object_keys(gate.pool_pauses) AS u(pool)
        WHERE gate.pool_pauses IS NOT NULL) AS pools,
      ARRAY(SELECT n.name FROM offstage.namespaces n CROSS JOIN LATERAL offstage.exclusive_holder(n.name)
        WHERE n.exclusive_lease IS NOT NULL) AS exclusive,
      closed.namespaces AS method_namespaces, closed.methods, ${LIMITS_AS_JSON} AS limits
    FROM offstage.gate_epoch now CROSS JOIN (
      SELECT array_agg(namespace) AS namespaces, array_agg(method) AS methods
      FROM offstage.method_gates WHERE pause_time IS NOT NULL) closed`,
}

const READ_PAUSE = {
  name: 'read_pause',
  text: `
    SELECT 'namespace' AS what, pause_owner AS owner, pause_time AS time
    FROM offstage.namespaces WHERE name = $1 AND pause_time IS NOT NULL
    UNION ALL
    SELECT 'pool', gate.pool_pauses->$3::text->>'owner', (gate.pool_pauses->$3::text->>'time')::timestamptz
    FROM offstage.namespaces gate WHERE gate.name = $1 AND gate.pool_pauses ? $3::text
    UNION ALL
    SELECT 'method', pause_owner, pause_time
    FROM offstage.method_gates WHERE namespace = $1 AND method = $2::text AND pause_time IS NOT NULL`,
}

/** Paused again, it stays paused by whom and since when it was. */
const PAUSE_NAMESPACE = {
  name: 'pause_namespace',
  text: `
    INSERT INTO offstage.namespaces AS n (name, pause_owner, pause_time) VALUES ($1, $2, now())
    ON CONFLICT (name) DO UPDATE
      SET pause_owner = excluded.pause_owner, pause_time = excluded.pause_time, revision = n.revision + 1
      WHERE n.pause_time IS NULL`,
}

const RESUME_NAMESPACE = {
  name: 'resume_namespace',
  text: `
    UPDATE offstage.namespaces SET pause_owner = NULL, pause_time = NULL, revision = revision + 1
    WHERE name = $1 AND pause_time IS NOT NULL`,
}

const PAUSE_POOL = {
  name: 'pause_pool',
  text: `
    INSERT INTO offstage.namespaces AS n (name, pool_pauses)
    VALUES ($1, jsonb_build_object($2::text, jsonb_build_object('owner', $3::text, 'time', now())))
    ON CONFLICT (name) DO UPDATE
      SET pool_pauses = coalesce(n.pool_pauses, '{}') || excluded.pool_pauses, revision = n.revision + 1
      WHERE NOT coalesce(n.pool_pauses ? $2::text, false)`,
}

const RESUME_POOL = {
  name: 'resume_pool',
  text: `
    UPDATE offstage.namespaces SET pool_pauses = nullif(pool_pauses - $2::text, '{}'), revision = revision + 1
    WHERE name = $1 AND pool_pauses ? $2::text`,
}

const PAUSE_METHOD = {
  name: 'pause_method',
  text: `
    INSERT INTO offstage.method_gates AS g (namespace, method, pause_owner, pause_time)
    VALUES ($1, $2, $3, now())
    ON CONFLICT (namespace, method) DO UPDATE
      SET pause_owner = excluded.pause_owner, pause_time = excluded.pause_time
      WHERE g.pause_time IS NULL`,
}

const RESUME_METHOD = {
  name: 'resume_method',
  text: `
    UPDATE offstage.method_gates SET pause_owner = NULL, pause_time = NULL
    WHERE namespace = $1 AND method = $2 AND pause_time IS NOT NULL`,
}

interface GatesRow {
  epoch: number
  namespaces: string[]
  pools: { namespace: string; pool: string }[] | null
  exclusive: string[]
  method_namespaces: string[] | null
  methods: string[] | null
  limits: LimitRow[] | null
}

export function createGateStore(database: Database): GateStore {
  type Gate = readonly [namespace: string, methodOrPool?: string]
  const change = (statement: Statement, gate: Gate, by: ActBy, owner: readonly string[] = []) =>
    database.transaction(async (tx) => {
      await lockGates(tx)
      const { rowCount } = await tx.query(statement, [...gate, ...owner])
      if (rowCount > 0) await beginEpoch(tx)
      const [namespace, target = namespace] = gate
      const outcome = rowCount > 0 ? 'OK' : 'UNCHANGED'
      await recordAct(tx, { by, namespace, targets: [target], owners: [], outcome })
      return rowCount > 0
    })
  return {
    async read() {
      const { rows } = await database.query<GatesRow>(READ_GATES)
      const [row] = rows
      if (row === undefined) throw new Error('offstage.gate_epoch has lost its row')
      const { epoch, namespaces, pools, exclusive, method_namespaces, methods, limits } = row
      const closed = (methods ?? []).map((method, index) => ({
        namespace: method_namespaces?.[index] ?? '',
        method,
      }))
      return {
        epoch,
        namespaces,
        exclusive,
        pools: (pools ?? []).map(({ namespace, pool }) => ({ namespace, pool: poolFrom(pool) })),
        methods: closed,
        limits: limitsOfMethods(limits ?? []),
      }
    },
    pauseNamespace: (namespace, by) => change(PAUSE_NAMESPACE, [namespace], by, [by.user]),
    resumeNamespace: (namespace, by) => change(RESUME_NAMESPACE, [namespace], by),
    pausePool: (namespace, pool, by) =>
      change(PAUSE_POOL, [namespace, spelledPool(pool)], by, [by.user]),
    resumePool: (namespace, pool, by) => change(RESUME_POOL, [namespace, spelledPool(pool)], by),
    pauseMethod: (namespace, method, by) =>
      change(PAUSE_METHOD, [namespace, method], by, [by.user]),
    resumeMethod: (namespace, method, by) => change(RESUME_METHOD, [namespace, method], by),
  }
}

/** What is paused, the namespace before the pool, and that before the method. */
export async function readPause(
  database: Queryable,
  namespace: string,
  method: string,
  pool: string,
): Promise<Pause | undefined> {
  const values = [namespace, method, spelledPool(pool)]
  const { rows } = await database.query<Pause>(READ_PAUSE, values)
  return rows[0]
}
