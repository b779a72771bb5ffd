import type { Queryable } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { LimitedQueue } from '../domain/method-limit.ts'

const counted = (condition: string) => `
      SELECT count(*)::int FROM (
        ${[JobState.queued, JobState.scheduled]
          .map(
            (state) => `(
        SELECT FROM offstage.jobs j
        WHERE j.state = ${state} AND j.namespace = u.namespace AND j.method = u.method ${condition}
        LIMIT u.queued_max)`,
          )
          .join(' UNION ALL ')}) job`

const COUNT = {
  name: 'count_queued',
  text: `
    SELECT CASE WHEN u.limit_key IS NULL THEN (${counted('')}) ELSE (${counted('AND j.limit_key = u.limit_key')}) END AS queued
    FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
      WITH ORDINALITY AS u(namespace, method, limit_key, queued_max, place)
    ORDER BY u.place`,
}

/** How many jobs wait to begin, whatever for, counted up to the limit of each and a little beyond. */
export async function countQueued(
  database: Queryable,
  queues: readonly LimitedQueue[],
): Promise<number[]> {
  const { rows } = await database.query<{ queued: number }>(COUNT, [
    queues.map(({ namespace }) => namespace),
    queues.map(({ method }) => method),
    queues.map(({ key }) => key ?? null),
    queues.map(({ queuedMax }) => queuedMax),
  ])
  return rows.map(({ queued }) => queued)
}
