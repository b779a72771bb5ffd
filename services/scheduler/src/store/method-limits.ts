/** Limits of methods as they are stored. They are gates: set under the lock of the gates, so that nothing begins by others. */
import type { Queryable } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { LimitsOfMethod, MethodLimit } from '../domain/method-limit.ts'

export const LIMIT_COLUMNS =
  'l.namespace, l.method, l.key_expression, l.max_concurrency, l.rate, l.rate_period_ms, l.burst, l.max_queued, l.announced'

const READ = {
  name: 'read_method_limits',
  text: `
    SELECT ${LIMIT_COLUMNS} FROM offstage.method_limits l WHERE l.namespace = $1 ORDER BY l.method, l.keyed`,
}

/** SQL: all limits of all methods as JSON, or null where there are none. */
export const LIMITS_AS_JSON = `(
  SELECT json_agg(l ORDER BY l.namespace, l.method) FROM (SELECT ${LIMIT_COLUMNS} FROM offstage.method_limits l) l)`

const CLEAR = {
  name: 'clear_method_limits',
  text: 'DELETE FROM offstage.method_limits WHERE namespace = $1 AND announced IS NOT TRUE',
}

const SET = {
  name: 'set_method_limits',
  text: `
    INSERT INTO offstage.method_limits
      (namespace, method, keyed, key_expression, max_concurrency, rate, rate_period_ms, burst, max_queued)
    SELECT $1, u.method, u.key_expression <> '', u.key_expression, u.max_concurrency, u.rate, u.rate_period_ms, u.burst, u.max_queued
    FROM unnest($2::text[], $3::text[], $4::int[], $5::int[], $6::float8[], $7::int[], $8::int[])
      AS u(method, key_expression, max_concurrency, rate, rate_period_ms, burst, max_queued)`,
}

/** They hold instead of what definitions say. */
const REPLACE_ANNOUNCED = {
  name: 'replace_announced_limits',
  text: 'DELETE FROM offstage.method_limits WHERE namespace = $1 AND method = ANY ($2::text[])',
}

const OPEN = {
  name: 'open_unlimited_methods',
  text: `
    UPDATE offstage.method_gates g SET limited = false
    WHERE g.namespace = $1 AND g.limited AND NOT EXISTS (
      SELECT FROM offstage.method_limits l WHERE l.namespace = g.namespace AND l.method = g.method)`,
}

const CLOSE = {
  name: 'close_limited_methods',
  text: `
    INSERT INTO offstage.method_gates (namespace, method, limited)
    SELECT DISTINCT l.namespace, l.method, true FROM offstage.method_limits l WHERE l.namespace = $1
    ON CONFLICT (namespace, method) DO UPDATE SET limited = true`,
}

/**
 * What runs by then counts as well, also where its attachment is forgotten by now, or where it waits without one. Those without a value of
 * the key have the empty one.
 */
const COUNT_RUNNING = {
  name: 'count_running_as_limited',
  text: `
    UPDATE offstage.jobs SET limited = true, limit_key = coalesce(limit_key, '')
    WHERE id IN (
      SELECT j.id FROM offstage.jobs j
      WHERE j.namespace = $1 AND j.state IN (${JobState.running}, ${JobState.waiting})
        AND j.method IN (SELECT l.method FROM offstage.method_limits l WHERE l.namespace = $1)
        AND (j.limited IS NOT TRUE OR j.limit_key IS NULL)
      ORDER BY j.id FOR NO KEY UPDATE OF j)`,
}

export interface LimitRow {
  namespace: string
  method: string
  key_expression: string
  max_concurrency: number | null
  rate: number | null
  rate_period_ms: number | null
  burst: number | null
  max_queued: number | null
  /** Null as false: an administrator has set it. */
  announced: boolean | null
}

export async function readLimits(database: Queryable, namespace: string): Promise<MethodLimit[]> {
  const { rows } = await database.query<LimitRow>(READ, [namespace])
  return rows.map(limitFromRow)
}

/** Within a transaction that has the lock of the gates; all that is set for the namespace are these then. {@link settleLimits} has to follow. */
export async function setLimits(
  tx: Queryable,
  namespace: string,
  limits: readonly MethodLimit[],
): Promise<void> {
  await tx.query(CLEAR, [namespace])
  const methods = limits.map(({ method }) => method)
  if (methods.length === 0) return
  await tx.query(REPLACE_ANNOUNCED, [namespace, methods])
  await tx.query(SET, [
    namespace,
    methods,
    limits.map(({ keyExpression }) => keyExpression),
    limits.map(({ concurrencyMax }) => concurrencyMax ?? null),
    limits.map(({ rate }) => rate?.count ?? null),
    limits.map(({ rate }) => rate?.periodMs ?? null),
    limits.map(({ rate }) => rate?.burst ?? null),
    limits.map(({ queuedMax }) => queuedMax ?? null),
  ])
}

/** Has the gates of methods be as their limits are now, in the same transaction. */
export async function settleLimits(tx: Queryable, namespace: string): Promise<void> {
  await tx.query(OPEN, [namespace])
  await tx.query(CLOSE, [namespace])
  await tx.query(COUNT_RUNNING, [namespace])
}

export function limitsOfMethods(rows: readonly LimitRow[]): LimitsOfMethod[] {
  const byMethod = Map.groupBy(rows, ({ namespace, method }) => `${namespace} ${method}`)
  return [...byMethod.values()].flatMap((of) => {
    const [row] = of
    if (row === undefined) return []
    const { namespace, method } = row
    const limits = of.map(limitFromRow)
    return {
      namespace,
      method,
      whole: limits.find(({ keyExpression }) => keyExpression === ''),
      perKey: limits.find(({ keyExpression }) => keyExpression !== ''),
    }
  })
}

export function limitFromRow(row: LimitRow): MethodLimit {
  const { rate, rate_period_ms: periodMs, burst } = row
  return {
    method: row.method,
    keyExpression: row.key_expression,
    concurrencyMax: row.max_concurrency ?? undefined,
    rate:
      rate === null || periodMs === null
        ? undefined
        : { count: rate, periodMs, burst: burst ?? rate },
    queuedMax: row.max_queued ?? undefined,
    ...(row.announced && { isAnnounced: true }),
  }
}
