/** What may hold a job back, as the database has it: read for explanations only. */
import type { Queryable } from '@offstage/kit/database'
import type { Circumstances, Gate, Holders } from '../domain/gate.ts'
import type { JobCircumstances } from '../domain/job-query.ts'
import { JobState } from '../domain/job-state.ts'
import type { Lane } from '../domain/lane.ts'
import { spelledPool } from '../domain/pool.ts'
import { readFullLimit } from './explain-limit.ts'
import { readPause } from './gates.ts'
import { LANE_OF_JOB } from './methods.ts'

const HOLDERS_MAX = 10
const AHEAD_MAX = 10_000
/** Executors that are looked at for a free slot. */
const EXECUTORS_MAX = 1_000

/** What is ahead in the queue is two ranges of the index that claims read. */
const AHEAD = `
  SELECT count(*)::int FROM (
    (SELECT 1 FROM offstage.jobs o
     WHERE o.state = ${JobState.queued} AND o.namespace = j.namespace AND o.method = j.method AND o.lane = j.lane
       AND o.pool IS NOT DISTINCT FROM j.pool AND o.priority > j.priority LIMIT ${AHEAD_MAX})
    UNION ALL
    (SELECT 1 FROM offstage.jobs o
     WHERE o.state = ${JobState.queued} AND o.namespace = j.namespace AND o.method = j.method AND o.lane = j.lane
       AND o.pool IS NOT DISTINCT FROM j.pool AND o.priority = j.priority AND (o.create_time, o.id) < (j.create_time, j.id) LIMIT ${AHEAD_MAX})
    LIMIT ${AHEAD_MAX}) counted`

/** Whoever asks is told of their own jobs only, where they are named as $3: others are null. */
const SHOWN_ID = 'CASE WHEN $3::text IS NULL OR o.owner = $3 THEN o.id::text END'

/** Who holds the key, and who takes it before this job. */
const KEY_HOLDERS = `
  SELECT ${SHOWN_ID} FROM offstage.jobs o
  WHERE o.namespace = j.namespace AND o.method = j.method AND o.key = j.key AND o.state < ${JobState.succeeded}
    AND (NOT o.behind_key OR (o.state = ${JobState.scheduled} AND (o.create_time, o.id) < (j.create_time, j.id)))
  ORDER BY o.behind_key, o.create_time, o.id LIMIT ${HOLDERS_MAX}`

const CHILDREN = `
  SELECT ${SHOWN_ID} FROM offstage.jobs o WHERE o.parent_id = j.id AND o.state < ${JobState.succeeded}
  ORDER BY o.id LIMIT ${HOLDERS_MAX}`

const READ = {
  name: 'explain_job',
  text: `
    SELECT j.id, j.namespace, j.owner, j.method, j.state, ${LANE_OF_JOB} AS lane, j.pool, j.due_time, j.behind_key,
      j.failures > 0 AS is_retry,
      CASE WHEN j.behind_key AND j.state = ${JobState.scheduled} THEN ARRAY(${KEY_HOLDERS}) END AS key_holders,
      CASE WHEN j.state = ${JobState.waiting} THEN ARRAY(${CHILDREN}) END AS children,
      CASE WHEN j.state = ${JobState.queued} THEN (${AHEAD}) ELSE 0 END AS ahead
    FROM offstage.jobs j
    WHERE j.id = $2::uuid AND j.namespace = $1 AND ($3::text IS NULL OR j.owner = $3)`,
}

/** Executors that are not known to be gone, run the method and serve the pool, with their slots in the lane. */
const SERVING = {
  name: 'explain_executors',
  text: `
    SELECT a.session_id, coalesce(e.slots[array_position(e.lanes, $3::smallint)], 0) AS slots, (
      SELECT count(*)::int FROM offstage.jobs j
      WHERE j.attachment_id = a.id AND j.state = ${JobState.running} AND ${LANE_OF_JOB} = $3::smallint) AS used
    FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
    WHERE a.namespace = $1 AND a.end_round IS NULL AND NOT a.in_doubt AND NOT e.draining
      AND e.methods @> ARRAY[$2::text] AND e.pools @> ARRAY[$4::text]
    ORDER BY a.attach_time LIMIT ${EXECUTORS_MAX}`,
}

interface Row {
  id: string
  namespace: string
  owner: string
  method: string
  state: JobState
  lane: Lane
  pool: string | null
  due_time: Date | null
  behind_key: boolean
  is_retry: boolean
  key_holders: (string | null)[] | null
  children: (string | null)[] | null
  ahead: number
}

export async function readCircumstances(
  database: Queryable,
  namespace: string,
  jobId: string,
  owner: string | undefined,
): Promise<JobCircumstances | undefined> {
  const { rows } = await database.query<Row>(READ, [namespace, jobId, owner ?? null])
  const [row] = rows
  if (row === undefined) return undefined
  const { id, method, state, lane, ahead } = row
  const circumstances = await circumstancesOf(database, row, owner)
  const pool = row.pool ?? ''
  return { id, namespace, owner: row.owner, method, state, lane, pool, ahead, circumstances }
}

function holdersFrom(ids: readonly (string | null)[]): Holders {
  const jobIds = ids.filter((id) => id !== null)
  return { jobIds, hidden: jobIds.length < ids.length }
}

async function circumstancesOf(
  database: Queryable,
  row: Row,
  owner: string | undefined,
): Promise<Circumstances> {
  const { namespace, method, state } = row
  switch (state) {
    case JobState.scheduled: {
      const { key_holders, due_time, is_retry } = row
      return {
        key: key_holders === null ? undefined : { cause: 'key', ...holdersFrom(key_holders) },
        due: { cause: 'not-due', dueTime: due_time ?? undefined, isRetry: is_retry },
      }
    }
    case JobState.queued: {
      const pause = await readPause(database, namespace, method, row.pool ?? '')
      if (pause !== undefined) return { paused: { cause: 'paused', pause } }
      const limit = await readFullLimit(database, row.id, owner)
      return limit === undefined ? { room: await readRoom(database, row) } : { limit }
    }
    case JobState.waiting:
      return { children: { cause: 'children', ...holdersFrom(row.children ?? []) } }
    default:
      return {}
  }
}

/** Undefined where there is room: it is about to be assigned. */
async function readRoom(
  database: Queryable,
  { namespace, method, lane, pool, ahead }: Row,
): Promise<Extract<Gate, { cause: 'no-executor' | 'no-slot' }> | undefined> {
  const { rows } = await database.query<{ session_id: string; slots: number; used: number }>(
    SERVING,
    [namespace, method, lane, spelledPool(pool ?? '')],
  )
  if (rows.length === 0) return { cause: 'no-executor' }
  if (ahead === 0 && rows.some(({ slots, used }) => used < slots)) return undefined
  const sessionIds = rows.slice(0, HOLDERS_MAX).map(({ session_id }) => session_id)
  return { cause: 'no-slot', sessionIds, slots: rows.reduce((sum, { slots }) => sum + slots, 0) }
}
