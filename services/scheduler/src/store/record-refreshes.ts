import type { Queryable } from '@offstage/kit/database'
import { isEverything, scopeKey } from '../domain/value-refresh.ts'
import type { AskedRefresh } from '../ports/refreshes.ts'

/**
 * The row of a namespace's epoch is locked until the commit, so epochs are committed in their order. It comes first, and namespaces in
 * the order of their names: two such statements never wait for each other in a circle.
 */
const RECORD = {
  name: 'record_refreshes',
  text: `
    WITH asked AS MATERIALIZED (
      SELECT DISTINCT ON (namespace, key) *
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[])
        AS u(namespace, key, function, params, tag, everything)
    ), raised AS (
      INSERT INTO offstage.value_epochs AS e (namespace, epoch, floor)
      SELECT namespace, 1, bool_or(everything)::int FROM asked GROUP BY namespace ORDER BY namespace
      ON CONFLICT (namespace) DO UPDATE
        SET epoch = e.epoch + 1, floor = CASE WHEN excluded.floor = 1 THEN e.epoch + 1 ELSE e.floor END
      RETURNING namespace, epoch
    ), recorded AS (
      INSERT INTO offstage.value_refreshes (namespace, digest, epoch, function, params, tag)
      SELECT namespace, sha256(convert_to(key, 'UTF8')), epoch, function, params, tag
      FROM asked JOIN raised USING (namespace) WHERE NOT everything
      ON CONFLICT (namespace, digest) DO UPDATE SET epoch = excluded.epoch, refresh_time = excluded.refresh_time
    )
    SELECT namespace, epoch FROM raised`,
}

/** The epochs, by the places of what was asked. */
export async function recordRefreshes(
  database: Queryable,
  asked: readonly AskedRefresh[],
): Promise<number[]> {
  const scopes = asked.map(({ scope }) => scope)
  const { rows } = await database.query<{ namespace: string; epoch: number }>(RECORD, [
    asked.map(({ namespace }) => namespace),
    scopes.map(scopeKey),
    scopes.map((scope) => scope.function),
    scopes.map(({ params }) => params),
    scopes.map(({ tag }) => tag),
    scopes.map(isEverything),
  ])
  const epochs = new Map(rows.map(({ namespace, epoch }) => [namespace, epoch]))
  return asked.map(({ namespace }) => epochs.get(namespace) ?? 0)
}
