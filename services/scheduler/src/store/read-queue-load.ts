/**
 * What is queued and held, by method and pool, for whoever scales executors. Only the indexes of queues are read of what is queued, and the
 * rows at the heads of queues; of what is held there is no more than executors have slots. A million queued jobs are counted in
 * 0.2 s where vacuum has been, and in seconds where it has not; up to a limit for each queue it is always quick.
 */
import type { Queryable } from '@offstage/kit/database'
import { isSessionPoolInSql } from '../domain/foreground.ts'
import { JobState } from '../domain/job-state.ts'
import { isUnpooledInSql } from '../domain/lane.ts'
import type { QueueLoad } from '../domain/load.ts'
import { spelledPoolInSql, withoutVersionInSql } from '../domain/pool.ts'
import { isOpen } from './gates.ts'

/** Created earlier is not always due earlier, so some are looked at. */
const JOBS_OF_HEAD = 20
const QUEUES_MAX = 50_000
/** Each costs two looks. */
const POOLED_LEVELS_MAX = 10_000

/** An index of queued jobs: the columns that make a queue, after which it goes on by priority, and what is in it. */
interface QueueIndex {
  readonly name: string
  readonly columns: readonly string[]
  readonly condition: string
}

const EVERY: QueueIndex = { name: 'level', columns: ['namespace', 'method', 'lane'], condition: '' }
const POOLED: QueueIndex = {
  name: 'pooled_level',
  columns: [...EVERY.columns, 'pool'],
  condition: 'AND j.pool IS NOT NULL',
}

const listed = (columns: readonly string[], of: string) =>
  columns.map((column) => `${of}.${column}`).join(', ')

/** SQL: the queues of the index and their priorities, each found by one look. Whoever takes only some of them pays for those alone. */
const levels = ({ name, columns, condition }: QueueIndex) => {
  const level = `${listed(columns, 'j')}, j.priority`
  const queued = `FROM offstage.jobs j WHERE j.state = ${JobState.queued} ${condition}`
  const first = `ORDER BY ${level} DESC LIMIT 1`
  return `${name} AS (
      (SELECT ${level}, 0 AS place ${queued} ${first})
      UNION ALL
      SELECT next.* FROM ${name} CROSS JOIN LATERAL (
        (SELECT ${level}, 1 AS place ${queued} AND (${listed(columns, 'j')}) = (${listed(columns, name)})
           AND j.priority < ${name}.priority ${first})
        UNION ALL
        (SELECT ${level}, 2 ${queued} AND (${listed(columns, 'j')}) > (${listed(columns, name)}) ${first})
        ORDER BY place LIMIT 1
      ) next
    )`
}

/** SQL: how many jobs each of these levels has, and for how long the oldest of them has been due. */
const counted = ({ columns, condition }: QueueIndex, from: string, pool: string) => {
  const ofLevel = `FROM offstage.jobs j
          WHERE j.state = ${JobState.queued} ${condition} AND j.priority = level.priority
            AND (${listed(columns, 'j')}) = (${listed(columns, 'level')})`
  return `SELECT level.namespace, level.method, ${pool} AS pool, counted.jobs, head.waited
      FROM ${from} level CROSS JOIN LATERAL (
        SELECT count(*) AS jobs FROM (SELECT ${ofLevel} LIMIT $1::int) job
      ) counted CROSS JOIN LATERAL (
        SELECT max(clock_timestamp() - greatest(first.create_time, first.due_time)) AS waited
        FROM (SELECT j.create_time, j.due_time ${ofLevel}
          ORDER BY j.create_time, j.id LIMIT ${JOBS_OF_HEAD}) first
      ) head`
}

/** Whoever starts jobs names their pools: so of those a limit is taken before they are counted. */
const READ = {
  name: 'read_queue_load',
  text: `
    WITH RECURSIVE ${levels(EVERY)}, ${levels(POOLED)}, queued AS (
      SELECT namespace, method, pool, sum(jobs) AS queued, max(waited) AS oldest FROM (
        ${counted(EVERY, `(SELECT * FROM level WHERE ${isUnpooledInSql('lane')})`, "''")}
        UNION ALL
        ${counted(POOLED, `(SELECT * FROM pooled_level LIMIT ${POOLED_LEVELS_MAX})`, withoutVersionInSql('level.pool'))}
      ) level GROUP BY namespace, method, pool
    ), held AS (
      SELECT j.namespace, j.method, ${withoutVersionInSql('j.pool')} AS pool,
        count(*) FILTER (WHERE j.state = ${JobState.running}) AS running,
        count(*) FILTER (WHERE j.state = ${JobState.waiting}) AS waiting
      FROM offstage.jobs j WHERE j.state IN (${JobState.running}, ${JobState.waiting}) AND j.attachment_id IS NOT NULL
      GROUP BY 1, 2, 3
    )
    SELECT queue.namespace, queue.method, queue.pool, coalesce(queue.queued, 0)::int AS queued,
      coalesce(queue.running, 0)::int AS running, coalesce(queue.waiting, 0)::int AS waiting,
      greatest(extract(epoch FROM queue.oldest)::float8 * 1000, 0) AS oldest_ms,
      NOT (${isOpen('queue.namespace', 'queue.method', spelledPoolInSql('queue.pool'))}) AS paused
    FROM (SELECT * FROM queued FULL JOIN held USING (namespace, method, pool)) queue
    WHERE NOT ${isSessionPoolInSql('queue.pool')}
    ORDER BY coalesce(queue.queued, 0) + coalesce(queue.running, 0) DESC, queue.namespace, queue.method, queue.pool
    LIMIT ${QUEUES_MAX}`,
}

interface QueueRow {
  namespace: string
  method: string
  pool: string
  queued: number
  running: number
  waiting: number
  oldest_ms: number | null
  paused: boolean
}

/**
 * The queues with most jobs first.
 *
 * @param countMax where counting stops in each pool, lane and priority of a method; null: nowhere
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
