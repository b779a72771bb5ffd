import type { Queryable } from '@offstage/kit/database'
import { SCOPES_KEPT_MAX } from '../domain/value-refresh.ts'

/** Whoever was away for longer drops all. */
const KEPT = "interval '10 minutes'"

/**
 * Locks the epochs first, as what records refreshes does. A scope that was refreshed again meanwhile has another epoch than was seen,
 * and stays.
 */
const FOLD = {
  name: 'fold_refreshes',
  text: `
    WITH held AS MATERIALIZED (
      SELECT namespace, floor FROM offstage.value_epochs ORDER BY namespace FOR UPDATE
    ), seen AS (
      SELECT namespace, digest, epoch, refresh_time,
        row_number() OVER (PARTITION BY namespace ORDER BY epoch DESC) AS place
      FROM offstage.value_refreshes
    ), gone AS (
      DELETE FROM offstage.value_refreshes r USING held, seen s
      WHERE held.namespace = r.namespace AND s.namespace = r.namespace AND s.digest = r.digest AND s.epoch = r.epoch
        AND (s.refresh_time < now() - ${KEPT} OR s.place > ${SCOPES_KEPT_MAX} OR s.epoch <= held.floor)
      RETURNING r.namespace, r.epoch
    )
    UPDATE offstage.value_epochs e SET floor = greatest(e.floor, g.epoch)
    FROM (SELECT namespace, max(epoch) AS epoch FROM gone GROUP BY namespace) g
    WHERE e.namespace = g.namespace`,
}

export async function foldRefreshes(database: Queryable): Promise<void> {
  await database.query(FOLD, [])
}
