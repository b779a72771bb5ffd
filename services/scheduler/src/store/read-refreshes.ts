import type { Queryable } from '@offstage/kit/database'
import { type RefreshNews, SCOPES_KEPT_MAX, type ValueRefresh } from '../domain/value-refresh.ts'
import type { KnownEpoch } from '../ports/refreshes.ts'

/**
 * Of scopes that are too many to be told one by one no more are read than show that: until they are folded there may be any number.
 * One whose epoch is behind the known one is another database, or an older state of it: nothing is known of what lies between.
 */
const READ = {
  name: 'read_refreshes',
  text: `
    SELECT k.namespace, coalesce(e.epoch, 0) AS epoch,
      k.known < coalesce(e.floor, 0) OR k.known > coalesce(e.epoch, 0) AS "all",
      r.epoch AS at, r.function, r.params, r.tag
    FROM unnest($1::text[], $2::bigint[]) AS k(namespace, known)
    LEFT JOIN offstage.value_epochs e ON e.namespace = k.namespace
    LEFT JOIN LATERAL (
      SELECT epoch, function, params, tag FROM offstage.value_refreshes
      WHERE namespace = k.namespace AND epoch > k.known AND k.known >= e.floor
      ORDER BY epoch LIMIT ${SCOPES_KEPT_MAX + 1}
    ) r ON true
    WHERE coalesce(e.epoch, 0) <> k.known
    ORDER BY r.epoch`,
}

interface Row {
  namespace: string
  epoch: number
  all: boolean
  at: number | null
  function: string | null
  params: string | null
  tag: string | null
}

export async function readRefreshes(
  database: Queryable,
  known: readonly KnownEpoch[],
): Promise<Map<string, RefreshNews>> {
  const { rows } = await database.query<Row>(READ, [
    known.map(({ namespace }) => namespace),
    known.map(({ epoch }) => epoch),
  ])
  const news = new Map<string, RefreshNews & { refreshes: ValueRefresh[] }>()
  for (const { namespace, epoch, all, at, ...scope } of rows) {
    const ofNamespace = news.get(namespace) ?? { epoch, all, refreshes: [] }
    news.set(namespace, ofNamespace)
    if (at !== null) ofNamespace.refreshes.push({ epoch: at, scope: scopeFrom(scope) })
  }
  for (const [namespace, { epoch, refreshes }] of news) {
    if (refreshes.length > SCOPES_KEPT_MAX) news.set(namespace, { epoch, all: true, refreshes: [] })
  }
  return news
}

function scopeFrom(row: Pick<Row, 'function' | 'params' | 'tag'>) {
  return {
    function: row.function ?? undefined,
    params: row.params ?? undefined,
    tag: row.tag ?? undefined,
  }
}
