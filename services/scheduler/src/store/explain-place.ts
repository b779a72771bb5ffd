/**
 * How many jobs begin before one, as the database has it: read for explanations only. Only indexes that claims go by are read,
 * and no more of them than is counted.
 */
import type { Queryable } from '@offstage/kit/database'
import type { Place } from '../domain/job-query.ts'
import { JobState } from '../domain/job-state.ts'

const AHEAD_MAX = 10_000
/** One more is looked for, to tell that there are more. */
const COUNTED_MAX = AHEAD_MAX + 1

/** The job is $3, $1 its namespace and $2 its method. $4: the lanes of the queues from which it is claimed, as stored. */
const OF_JOB = `j.id = $3::uuid AND j.state = ${JobState.queued}`
const QUEUES = 'unnest($4::smallint[]) AS queue(lane)'
const queued = (isPooled: boolean) => `
  o.state = ${JobState.queued} AND o.namespace = $1 AND o.method = $2 AND o.lane = queue.lane
  AND ${isPooled ? 'o.pool = j.pool' : 'o.pool IS NULL'}`

/** Two ranges of the index. */
const before = (isPooled: boolean, condition = '') => `
    (SELECT FROM offstage.jobs o WHERE ${queued(isPooled)} ${condition}
      AND o.priority > j.priority LIMIT ${COUNTED_MAX})
    UNION ALL
    (SELECT FROM offstage.jobs o WHERE ${queued(isPooled)} ${condition}
      AND o.priority = j.priority AND (o.create_time, o.id) < (j.create_time, j.id) LIMIT ${COUNTED_MAX})`

const counted = (isPooled: boolean, condition = '') => `
  SELECT count(*)::int AS ahead FROM (
    SELECT FROM offstage.jobs j CROSS JOIN ${QUEUES} CROSS JOIN LATERAL (${before(isPooled, condition)}) o
    WHERE ${OF_JOB} LIMIT ${COUNTED_MAX}) job`

const inOrder = (isPooled: boolean) => ({
  name: isPooled ? 'explain_place_in_pool' : 'explain_place',
  text: counted(isPooled),
})

/** The values of the key that have queued jobs; each costs one look into the index. */
const VALUES = `
    value AS (
      (SELECT o.limit_key FROM offstage.jobs o
        WHERE o.state = ${JobState.queued} AND o.namespace = $1 AND o.method = $2 AND o.limit_key >= ''
        ORDER BY o.limit_key LIMIT 1)
      UNION ALL
      SELECT (SELECT o.limit_key FROM offstage.jobs o
        WHERE o.state = ${JobState.queued} AND o.namespace = $1 AND o.method = $2 AND o.limit_key > value.limit_key
        ORDER BY o.limit_key LIMIT 1)
      FROM value WHERE value.limit_key IS NOT NULL
    )`

/** $5: its value of the key. Of other values no more are looked at than have their turn before it. */
const inTurns = (isPooled: boolean) => ({
  name: isPooled ? 'explain_turn_in_pool' : 'explain_turn',
  text: `
    WITH RECURSIVE own AS MATERIALIZED (${counted(isPooled, 'AND o.limit_key = $5')}),
    ${VALUES}
    SELECT least(own.ahead + (
      SELECT count(*) FROM (
        SELECT FROM value CROSS JOIN offstage.jobs j CROSS JOIN LATERAL (
          SELECT FROM ${QUEUES} CROSS JOIN LATERAL (
            SELECT FROM offstage.jobs o WHERE ${queued(isPooled)} AND o.limit_key = value.limit_key
            LIMIT own.ahead + 1) o
          LIMIT own.ahead + 1) o
        WHERE ${OF_JOB} AND value.limit_key <> $5
        LIMIT ${COUNTED_MAX}) job), ${COUNTED_MAX})::int AS ahead
    FROM own`,
})

const IN_ORDER = { default: inOrder(false), pool: inOrder(true) }
const IN_TURNS = { default: inTurns(false), pool: inTurns(true) }

/** Who holds the key, and who takes it before. */
const BEHIND_KEY = {
  name: 'explain_place_behind_key',
  text: `
    SELECT (
      SELECT count(*)::int FROM offstage.jobs o
      WHERE o.namespace = j.namespace AND o.method = j.method AND o.key = j.key AND o.state < ${JobState.succeeded}
        AND NOT o.behind_key
    ) + (
      SELECT count(*)::int FROM (
        SELECT FROM offstage.jobs o
        WHERE o.namespace = j.namespace AND o.method = j.method AND o.key = j.key AND o.state = ${JobState.scheduled}
          AND o.behind_key AND (o.create_time, o.id) < (j.create_time, j.id)
        LIMIT ${COUNTED_MAX}) job
    ) AS ahead
    FROM offstage.jobs j WHERE j.id = $1::uuid`,
}

export interface PlaceOf {
  readonly id: string
  readonly namespace: string
  readonly method: string
  readonly pool: string | null
  /** As stored, of the queues from which it is claimed. */
  readonly lanes: readonly number[]
  /** Where its method is limited for each value of a key: null, too, for a job that has none yet. */
  readonly limit_key: string | null
}

export async function readPlace(database: Queryable, job: PlaceOf): Promise<Place> {
  const of = job.pool === null ? 'default' : 'pool'
  const told = [job.namespace, job.method, job.id, job.lanes]
  if (job.limit_key === null) return count(database, IN_ORDER[of], told)
  return count(database, IN_TURNS[of], [...told, job.limit_key])
}

export const readPlaceBehindKey = (database: Queryable, id: string): Promise<Place> =>
  count(database, BEHIND_KEY, [id])

async function count(
  database: Queryable,
  statement: typeof BEHIND_KEY,
  values: readonly unknown[],
): Promise<Place> {
  const { rows } = await database.query<{ ahead: number }>(statement, values)
  const ahead = rows[0]?.ahead ?? 0
  return { ahead: Math.min(ahead, AHEAD_MAX), isMinimum: ahead > AHEAD_MAX }
}
