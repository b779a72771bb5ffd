/** What is set for a namespace as a whole. Pauses, which are gates, are set in gates.ts. */
import type { Database, Queryable } from '@offstage/kit/database'
import type { Retention } from '../domain/retention.ts'
import type { NamespaceSettings, NamespaceStore } from '../ports/namespaces.ts'
import { recordAct } from './acts.ts'
import { copyAnnounced } from './announced-limits.ts'
import { readExclusiveHolder } from './exclusive-mode.ts'
import { pausedPools } from './gates.ts'
import { beginEpoch, lockGates } from './lock-gates.ts'
import { readLimits, setLimits, settleLimits } from './method-limits.ts'

const READ = {
  name: 'read_namespace',
  text: `
    SELECT asked.name, coalesce(n.revision, 0) AS revision, n.pause_time IS NOT NULL AS paused,
      ${pausedPools('$1')} AS paused_pools
    FROM (SELECT $1::text AS name) asked LEFT JOIN offstage.namespaces n USING (name)`,
}

const READ_RETENTION = {
  name: 'read_retention',
  text: `
    SELECT kind, state, max_count, max_age_ms FROM offstage.retention WHERE namespace = $1
    ORDER BY kind, state`,
}

/** Locks the row, which stands for all that is set. */
const HOLD = {
  name: 'hold_namespace',
  text: `
    INSERT INTO offstage.namespaces AS n (name, revision) VALUES ($1, 0)
    ON CONFLICT (name) DO UPDATE SET revision = n.revision
    RETURNING revision`,
}

const GROW = {
  name: 'grow_namespace_revision',
  text: 'UPDATE offstage.namespaces SET revision = revision + 1 WHERE name = $1',
}

const CLEAR_RETENTION = {
  name: 'clear_retention',
  text: 'DELETE FROM offstage.retention WHERE namespace = $1',
}

const SET_RETENTION = {
  name: 'set_retention',
  text: `
    INSERT INTO offstage.retention (namespace, kind, state, max_count, max_age_ms)
    SELECT $1, u.kind, u.state, u.max_count, u.max_age_ms
    FROM unnest($2::smallint[], $3::smallint[], $4::bigint[], $5::float8[]) AS u(kind, state, max_count, max_age_ms)`,
}

interface NamespaceRow {
  revision: number
  paused: boolean
  paused_pools: string[]
}

interface RetentionRow {
  kind: Retention['kind']
  state: Retention['state']
  max_count: number | null
  max_age_ms: number
}

export function createNamespaceStore(database: Database): NamespaceStore {
  return {
    read: (namespace) => readNamespace(database, namespace),
    update: (namespace, { etag, retention, limits }, by) =>
      database.transaction(async (tx) => {
        if (limits !== undefined) await lockGates(tx)
        const { rows } = await tx.query<{ revision: number }>(HOLD, [namespace])
        if (etag !== undefined && etag !== String(rows[0]?.revision)) return undefined
        if (retention !== undefined) await setRetention(tx, namespace, retention)
        if (limits !== undefined) {
          await setLimits(tx, namespace, limits)
          await copyAnnounced(tx, namespace)
          await settleLimits(tx, namespace)
          await beginEpoch(tx)
        }
        await tx.query(GROW, [namespace])
        await recordAct(tx, { by, namespace, targets: [namespace], owners: [], outcome: 'OK' })
        return readNamespace(tx, namespace)
      }),
  }
}

async function readNamespace(database: Queryable, namespace: string): Promise<NamespaceSettings> {
  const { rows } = await database.query<NamespaceRow>(READ, [namespace])
  const [row] = rows
  if (row === undefined) throw new Error('a query without conditions has answered no row')
  const retention = await readRetention(database, namespace)
  const { revision, paused, paused_pools: pausedPools } = row
  const all = await readLimits(database, namespace)
  const limits = all.filter(({ isAnnounced }) => !isAnnounced)
  const announcedLimits = all.filter(({ isAnnounced }) => isAnnounced)
  const exclusive = await readExclusiveHolder(database, namespace)
  return { revision, paused, pausedPools, retention, limits, announcedLimits, exclusive }
}

async function readRetention(database: Queryable, namespace: string): Promise<Retention[]> {
  const { rows } = await database.query<RetentionRow>(READ_RETENTION, [namespace])
  return rows.map(({ kind, state, max_count, max_age_ms }) => ({
    kind,
    state,
    countMax: max_count ?? undefined,
    ageMsMax: max_age_ms,
  }))
}

async function setRetention(
  tx: Queryable,
  namespace: string,
  rules: readonly Retention[],
): Promise<void> {
  await tx.query(CLEAR_RETENTION, [namespace])
  await tx.query(SET_RETENTION, [
    namespace,
    rules.map(({ kind }) => kind),
    rules.map(({ state }) => state),
    rules.map(({ countMax }) => countMax ?? null),
    rules.map(({ ageMsMax }) => ageMsMax),
  ])
}
