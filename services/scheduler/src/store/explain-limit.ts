/** Which limit of its method has no room for a queued job, as the database has it: read for explanations only. */
import type { Queryable } from '@offstage/kit/database'
import type { Gate } from '../domain/gate.ts'
import { JobState } from '../domain/job-state.ts'
import { LIMIT_COLUMNS, type LimitRow, limitFromRow } from './method-limits.ts'

/** How far up an ancestor is looked for. */
const DEPTH_MAX = 100

/** The method as a whole first. $2: whose jobs are named; null: all. */
const READ = {
  name: 'explain_limits',
  text: `
    WITH RECURSIVE above AS (
      SELECT j.parent_id AS id, 1 AS height FROM offstage.jobs j WHERE j.id = $1::uuid
      UNION ALL
      SELECT p.parent_id, above.height + 1 FROM above JOIN offstage.jobs p ON p.id = above.id WHERE above.height < ${DEPTH_MAX}
    )
    SELECT ${LIMIT_COLUMNS}, CASE WHEN l.keyed THEN coalesce(job.limit_key, '') END AS key,
      held.ids, held.ancestors, bucket.available,
      moment.time + (1 - bucket.available) * l.rate_period_ms / l.rate * interval '1 ms' AS next_time
    FROM offstage.jobs job
    JOIN offstage.method_limits l ON l.namespace = job.namespace AND l.method = job.method
    LEFT JOIN offstage.rate_tokens t ON t.namespace = l.namespace AND t.method = l.method AND t.keyed = l.keyed
      AND t.limit_key = CASE WHEN l.keyed THEN coalesce(job.limit_key, '') ELSE '' END
    CROSS JOIN (SELECT clock_timestamp() AS time) moment
    CROSS JOIN LATERAL (SELECT offstage.available_tokens(l, t, moment.time) AS available) bucket
    CROSS JOIN LATERAL (
      SELECT array_agg(h.id) AS ids, count(*) FILTER (WHERE h.is_ancestor)::int AS ancestors FROM (
        SELECT CASE WHEN $2::text IS NULL OR j.owner = $2 THEN j.id::text END AS id,
          j.id IN (SELECT above.id FROM above) AS is_ancestor
        FROM offstage.jobs j
        WHERE j.namespace = job.namespace AND j.method = job.method AND j.limited
          AND j.state IN (${JobState.running}, ${JobState.waiting})
          AND (NOT l.keyed OR j.limit_key = coalesce(job.limit_key, ''))
        ORDER BY j.start_time, j.id LIMIT l.max_concurrency
      ) h
    ) held
    WHERE job.id = $1::uuid ORDER BY l.keyed`,
}

type Row = LimitRow & {
  key: string | null
  ids: (string | null)[] | null
  ancestors: number
  available: number | null
  next_time: Date | null
}

const HOLDERS_MAX = 10

export async function readFullLimit(
  database: Queryable,
  jobId: string,
  owner: string | undefined,
): Promise<Extract<Gate, { cause: 'limit' }> | undefined> {
  const { rows } = await database.query<Row>(READ, [jobId, owner ?? null])
  for (const row of rows) {
    const limit = limitFromRow(row)
    const full = { limit, key: row.key ?? undefined }
    const ids = row.ids ?? []
    if (limit.concurrencyMax !== undefined && ids.length >= limit.concurrencyMax) {
      const jobIds = ids.filter((id) => id !== null)
      const hidden = jobIds.length < ids.length
      return {
        cause: 'limit',
        limit: { ...full, nextTime: undefined, ancestors: row.ancestors },
        jobIds: jobIds.slice(0, HOLDERS_MAX),
        hidden,
      }
    }
    if (row.available !== null && row.available < 1) {
      return {
        cause: 'limit',
        limit: { ...full, nextTime: row.next_time ?? undefined },
        jobIds: [],
      }
    }
  }
  return undefined
}
