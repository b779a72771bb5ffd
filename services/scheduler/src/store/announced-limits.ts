/**
 * Limits that definitions of methods have (row J20). Those of a method that has none of an administrator are copied to where all statements look
 * (method_limits), and marked there. They are gates as well: copied under the lock of the gates, from what is stored of definitions and
 * limits then, so that the order of announcements and settings does not matter.
 */
import type { Database, Queryable } from '@offstage/kit/database'
import { beginEpoch, lockGates } from './lock-gates.ts'
import { settleLimits } from './method-limits.ts'

const COLUMNS =
  'method, keyed, key_expression, max_concurrency, rate, rate_period_ms, burst, max_queued'

/** SQL: what is to be marked, of these methods of the namespace, or of all where there are none named. */
const WANTED = `
  SELECT m.name AS method, l.key_expression <> '' AS keyed, l.key_expression,
    l.max_concurrency, l.rate, l.rate_period_ms, l.burst, l.max_queued
  FROM offstage.methods m
  CROSS JOIN LATERAL jsonb_to_recordset(
    CASE WHEN jsonb_typeof(m.definition->'limits') = 'array' THEN m.definition->'limits' ELSE '[]' END)
    AS l(key_expression text, max_concurrency integer, rate integer, rate_period_ms float8, burst integer, max_queued integer)
  WHERE m.namespace = $1 AND ($2::text[] IS NULL OR m.name = ANY ($2)) AND NOT EXISTS (
    SELECT FROM offstage.method_limits o WHERE o.namespace = m.namespace AND o.method = m.name AND o.announced IS NOT TRUE)`

/** Also what has been announced, by a definition that went, or before another was set. */
const MARKED = `
  SELECT ${COLUMNS} FROM offstage.method_limits
  WHERE namespace = $1 AND ($2::text[] IS NULL OR method = ANY ($2)) AND announced`

const MOVED = {
  name: 'find_announced_limits',
  text: `
    SELECT EXISTS (((${WANTED}) EXCEPT (${MARKED})) UNION ALL ((${MARKED}) EXCEPT (${WANTED}))) AS moved`,
}

const CLEAR = {
  name: 'clear_announced_limits',
  text: `
    DELETE FROM offstage.method_limits
    WHERE namespace = $1 AND ($2::text[] IS NULL OR method = ANY ($2)) AND announced`,
}

const COPY = {
  name: 'copy_announced_limits',
  text: `
    INSERT INTO offstage.method_limits (namespace, ${COLUMNS}, announced)
    SELECT $1, ${COLUMNS}, true FROM (${WANTED}) wanted`,
}

/** After definitions were stored: has what they say of limits come into force? True where it was not before. */
export async function announceLimits(
  database: Database,
  namespace: string,
  methods: readonly string[],
): Promise<boolean> {
  const { rows } = await database.query<{ moved: boolean }>(MOVED, [namespace, methods])
  if (!rows[0]?.moved) return false
  await database.transaction(async (tx) => {
    await lockGates(tx)
    await copyAnnounced(tx, namespace, methods)
    await settleLimits(tx, namespace)
    await beginEpoch(tx)
  })
  return true
}

/** Within a transaction that has the lock of the gates; undefined: of all methods of the namespace. */
export async function copyAnnounced(
  tx: Queryable,
  namespace: string,
  methods?: readonly string[],
): Promise<void> {
  const values = [namespace, methods ?? null]
  await tx.query(CLEAR, values)
  await tx.query(COPY, values)
}
