/**
 * What is queued and held, by method, for whoever scales executors. Only the index of queues is read of what is queued, and the
 * rows at the heads of queues; of what is held there is no more than executors have slots. A million queued jobs are counted in
 * 0.2 s where vacuum has been, and in seconds where it has not; up to a limit for each queue it is always quick.
 */
import type { Queryable } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { QueueLoad } from '../domain/load.ts'
import { isOpen } from './gates.ts'

/** Created earlier is not always due earlier, so some are looked at. */
const JOBS_OF_HEAD = 20
/** SQL: the columns by which the index of queues is ordered, and this order. */
const LEVEL = 'j.namespace, j.method, j.lane, j.priority'
const IN_ORDER = 'ORDER BY j.namespace, j.method, j.lane, j.priority DESC'
const QUEUES_MAX = 50_000

const READ = {
  name: 'read_queue_load',
  text: `
    WITH RECURSIVE level AS (
      (SELECT ${LEVEL}, 0 AS place FROM offstage.jobs j WHERE j.state = ${JobState.queued} ${IN_ORDER} LIMIT 1)
      UNION ALL
      SELECT next.* FROM level CROSS JOIN LATERAL (
        (SELECT ${LEVEL}, 1 AS place FROM offstage.jobs j
         WHERE j.state = ${JobState.queued} AND (j.namespace, j.method, j.lane) = (level.namespace, level.method, level.lane)
           AND j.priority < level.priority ${IN_ORDER} LIMIT 1)
        UNION ALL
        (SELECT ${LEVEL}, 2 FROM offstage.jobs j
         WHERE j.state = ${JobState.queued} AND (j.namespace, j.method, j.lane) > (level.namespace, level.method, level.lane)
         ${IN_ORDER} LIMIT 1)
        ORDER BY place LIMIT 1
      ) next
    ), queued AS (
      SELECT level.namespace, level.method, sum(counted.jobs) AS queued, max(head.waited) AS oldest
      FROM level CROSS JOIN LATERAL (
        SELECT count(*) AS jobs FROM (
          SELECT FROM offstage.jobs j
          WHERE j.state = ${JobState.queued} AND j.namespace = level.namespace AND j.method = level.method
            AND j.lane = level.lane AND j.priority = level.priority
          LIMIT $1::int
        ) job
      ) counted CROSS JOIN LATERAL (
        SELECT max(clock_timestamp() - greatest(first.create_time, first.due_time)) AS waited
        FROM (
          SELECT j.create_time, j.due_time FROM offstage.jobs j
          WHERE j.state = ${JobState.queued} AND j.namespace = level.namespace AND j.method = level.method
            AND j.lane = level.lane AND j.priority = level.priority
          ORDER BY j.create_time, j.id LIMIT ${JOBS_OF_HEAD}
        ) first
      ) head
      GROUP BY level.namespace, level.method
    ), held AS (
      SELECT j.namespace, j.method,
        count(*) FILTER (WHERE j.state = ${JobState.running}) AS running,
        count(*) FILTER (WHERE j.state = ${JobState.waiting}) AS waiting
      FROM offstage.jobs j WHERE j.state IN (${JobState.running}, ${JobState.waiting})
      GROUP BY j.namespace, j.method
    )
    SELECT queue.namespace, queue.method, coalesce(queue.queued, 0)::int AS queued,
      coalesce(queue.running, 0)::int AS running, coalesce(queue.waiting, 0)::int AS waiting,
      greatest(extract(epoch FROM queue.oldest)::float8 * 1000, 0) AS oldest_ms,
      NOT (${isOpen('queue.namespace', 'queue.method')}) AS paused
    FROM (SELECT * FROM queued FULL JOIN held USING (namespace, method)) queue
    ORDER BY coalesce(queue.queued, 0) + coalesce(queue.running, 0) DESC, queue.namespace, queue.method
    LIMIT ${QUEUES_MAX}`,
}

interface QueueRow {
  namespace: string
  method: string
  queued: number
  running: number
  waiting: number
  oldest_ms: number | null
  paused: boolean
}

/**
 * The queues with most jobs first.
 *
 * @param countMax where counting stops in each lane and priority of a method; null: nowhere
 */
export async function readQueueLoad(
  database: Queryable,
  countMax: number | null,
): Promise<QueueLoad[]> {
  const { rows } = await database.query<QueueRow>(READ, [countMax])
  return rows.map(({ oldest_ms, ...row }) => ({
    ...row,
    oldestMs: row.queued > 0 ? (oldest_ms ?? 0) : undefined,
  }))
}
