/** What retention would remove: counted over the whole table, as no index tells what has ended. */
import type { Database } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { Retention } from '../domain/retention.ts'
import type { ExpiredJobs } from '../ports/retention.ts'
import { withinTime } from './job-filter.ts'

/** What retention looks at: what has ended and is not pinned. */
export const FINISHED = `j.state >= ${JobState.succeeded} AND j.pin_time IS NULL`

const PREVIEW = {
  name: '',
  text: `
    SELECT f.kind, f.state, f.count AS kept_count, greatest(f.older, f.count - r.max_count, 0) AS expired_count, f.oldest
    FROM unnest($2::smallint[], $3::smallint[], $4::bigint[]) AS r(kind, state, max_count)
    JOIN (
      SELECT j.kind, j.state, count(*) AS count, min(j.finish_time) AS oldest,
        count(*) FILTER (WHERE j.finish_time < a.before) AS older
      FROM offstage.jobs j
      JOIN (SELECT kind, state, now() - max_age_ms * interval '1 ms' AS before
        FROM unnest($2::smallint[], $3::smallint[], $5::float8[]) AS u(kind, state, max_age_ms)) a
        ON a.kind = j.kind AND a.state = j.state
      WHERE j.namespace = $1 AND ${FINISHED}
      GROUP BY j.kind, j.state) f ON f.kind = r.kind AND f.state = r.state
    ORDER BY f.kind, f.state`,
}

interface PreviewRow {
  kind: ExpiredJobs['kind']
  state: ExpiredJobs['state']
  kept_count: number
  expired_count: number
  oldest: Date
}

/** Undefined when it took too long. */
export function previewRetention(
  database: Database,
  namespace: string,
  rules: readonly Retention[],
  limitMs?: number,
): Promise<ExpiredJobs[] | undefined> {
  return withinTime(database, limitMs, async (tx) => {
    const { rows } = await tx.query<PreviewRow>(PREVIEW, [
      namespace,
      rules.map(({ kind }) => kind),
      rules.map(({ state }) => state),
      rules.map(({ countMax }) => countMax ?? null),
      rules.map(({ ageMsMax }) => ageMsMax),
    ])
    return rows.map(({ kind, state, kept_count, expired_count, oldest }) => ({
      kind,
      state,
      keptCount: kept_count,
      expiredCount: expired_count,
      oldest,
    }))
  })
}
