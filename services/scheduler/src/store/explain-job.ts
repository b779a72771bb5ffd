/** What may hold a job back, as the database has it at one moment: read for explanations only. */
import type { Database, Queryable } from '@offstage/kit/database'
import type { Circumstances, Holders } from '../domain/gate.ts'
import type { JobCircumstances, Place } from '../domain/job-query.ts'
import { JobState } from '../domain/job-state.ts'
import { isSlotLane, type Lane } from '../domain/lane.ts'
import { estimateStart } from '../domain/pace.ts'
import { roomFor } from '../domain/room.ts'
import { readExclusiveHolder } from './exclusive-mode.ts'
import { readExecutorsFor } from './explain-executors.ts'
import { readFullLimit } from './explain-limit.ts'
import { readLockOf } from './explain-lock.ts'
import { readPlace, readPlaceBehindKey } from './explain-place.ts'
import { readPause } from './gates.ts'
import { unlessSlow, withinTime } from './job-filter.ts'
import { LANE_OF_JOB, LANE_OF_METHOD } from './methods.ts'
import { readPace } from './pace.ts'

const HOLDERS_MAX = 10
/** Of each statement; counting is given up sooner. */
const LIMIT_MS = 5_000
const COUNTING_MS = 1_000

/** All that follows sees one moment, and reads in the order of indexes. */
const ONE_MOMENT = { name: '', text: 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY' }
const SETTINGS = [
  ['plan_cache_mode', 'force_generic_plan'],
  ...['enable_bitmapscan', 'enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'jit'].map(
    (name) => [name, 'off'],
  ),
].map(([name, value]) => `set_config('${name}', '${value}', true)`)
const IN_ORDER_OF_INDEXES = { name: 'explain_by_indexes', text: `SELECT ${SETTINGS.join(', ')}` }

/** Whoever asks is told of their own jobs only, where they are named as $3: others are null. */
const SHOWN_ID = 'CASE WHEN $3::text IS NULL OR o.owner = $3 THEN o.id::text END'

/** Who holds the key, and who takes it before this job. */
const KEY_HOLDERS = `
  SELECT ${SHOWN_ID} FROM offstage.jobs o
  WHERE o.namespace = j.namespace AND o.method = j.method AND o.key = j.key AND o.state < ${JobState.succeeded}
    AND (NOT o.behind_key OR (o.state = ${JobState.scheduled} AND (o.create_time, o.id) < (j.create_time, j.id)))
  ORDER BY o.behind_key, o.create_time, o.id LIMIT ${HOLDERS_MAX}`

/** Those that count, where its handler has returned; else its handler waits for whichever it likes. */
const CHILDREN = `
  SELECT ${SHOWN_ID} FROM offstage.jobs o WHERE o.parent_id = j.id AND o.state < ${JobState.succeeded}
    AND (j.attachment_id IS NOT NULL OR o.attached_to = j.id AND o.attached_attempt > coalesce(j.attached_after, -1))
  ORDER BY o.id LIMIT ${HOLDERS_MAX}`

/** The lanes of its queues: its own, and that of jobs which name none, where they run in the same. 8 tells pools apart (domain/lane.ts). */
const LANES = `ARRAY(
  SELECT lane.number + (j.lane & 8) FROM (
    SELECT ${LANE_OF_JOB} AS number UNION SELECT 0 WHERE ${LANE_OF_JOB} = ${LANE_OF_METHOD('j.namespace', 'j.method')}
  ) lane)::smallint[]`

const READ = {
  name: 'explain_job',
  text: `
    SELECT j.id, j.namespace, j.owner, j.method, j.state, ${LANE_OF_JOB} AS lane, ${LANES} AS lanes, j.pool, j.due_time,
      j.behind_key, j.failures > 0 AS is_retry, j.options->'misfits' AS misfits,
      CASE WHEN EXISTS (
        SELECT FROM offstage.method_limits l WHERE l.namespace = j.namespace AND l.method = j.method AND l.keyed
      ) THEN j.limit_key END AS limit_key,
      CASE WHEN j.behind_key AND j.state = ${JobState.scheduled} THEN ARRAY(${KEY_HOLDERS}) END AS key_holders,
      CASE WHEN j.state = ${JobState.waiting} THEN ARRAY(${CHILDREN}) END AS children
    FROM offstage.jobs j
    WHERE j.id = $2::uuid AND j.namespace = $1 AND ($3::text IS NULL OR j.owner = $3)`,
}

interface Row {
  id: string
  namespace: string
  owner: string
  method: string
  state: JobState
  /** It runs in. */
  lane: Lane
  lanes: number[]
  pool: string | null
  due_time: Date | null
  behind_key: boolean
  is_retry: boolean
  misfits: unknown
  limit_key: string | null
  key_holders: (string | null)[] | null
  children: (string | null)[] | null
}

export async function readCircumstances(
  database: Database,
  namespace: string,
  jobId: string,
  owner: string | undefined,
): Promise<JobCircumstances | 'absent' | 'too-slow'> {
  const read = await withinTime(database, LIMIT_MS, async (tx) => {
    await tx.query(ONE_MOMENT)
    await tx.query(IN_ORDER_OF_INDEXES)
    const { rows } = await tx.query<Row>(READ, [namespace, jobId, owner ?? null])
    const [row] = rows
    return row === undefined ? 'absent' : explained(tx, row, owner)
  })
  return read ?? 'too-slow'
}

async function explained(
  tx: Queryable,
  row: Row,
  owner: string | undefined,
): Promise<JobCircumstances> {
  const { id, namespace, method, state, lane } = row
  const pool = row.pool ?? ''
  const job = { id, namespace, owner: row.owner, method, state, lane, pool }
  if (state !== JobState.queued) {
    const place = row.behind_key ? await placeOf(tx, () => readPlaceBehindKey(tx, id)) : FIRST
    const lock = state === JobState.running ? await readLockOf(tx, id, owner) : undefined
    const circumstances = { ...heldBack(row), lock }
    return { ...job, place, estimate: undefined, executors: [], circumstances }
  }
  const pause = await readPause(tx, namespace, method, pool)
  const exclusive = await readKeptOut(tx, row)
  const limit = await readFullLimit(tx, id, owner)
  const executors = await readExecutorsFor(tx, { ...row, pool })
  const samples = isSlotLane(lane) ? await readPace(tx, { namespace, method, lane, pool }) : []
  const place = await placeOf(tx, () => readPlace(tx, row))
  return {
    ...{ ...job, place, executors },
    estimate: place.isMinimum ? undefined : estimateStart(samples, place.ahead),
    circumstances: {
      paused: pause && { cause: 'paused', pause },
      exclusive,
      limit,
      room: roomFor(executors, place.ahead),
    },
  }
}

const FIRST: Place = { ahead: 0, isMinimum: false }

/** What takes too long to count is at least nothing. */
async function placeOf(tx: Queryable, read: () => Promise<Place>): Promise<Place> {
  return (await unlessSlow(tx, COUNTING_MS, read)) ?? { ahead: 0, isMinimum: true }
}

/** Of the jobs that begin all the same it is none. */
const KEPT_OUT = {
  name: 'is_kept_out',
  text: `
    SELECT EXISTS (SELECT FROM offstage.exclusive_holder($1)) AND NOT EXISTS (
      SELECT FROM offstage.exclusive_begins($1) j WHERE j.id = $2::uuid) AS out`,
}

async function readKeptOut(
  tx: Queryable,
  { id, namespace }: Row,
): Promise<Circumstances['exclusive']> {
  const { rows } = await tx.query<{ out: boolean }>(KEPT_OUT, [namespace, id])
  if (!rows[0]?.out) return undefined
  return { cause: 'exclusive-mode', holder: await readExclusiveHolder(tx, namespace) }
}

function heldBack({ state, key_holders, due_time, is_retry, children }: Row): Circumstances {
  switch (state) {
    case JobState.scheduled:
      return {
        key: key_holders === null ? undefined : { cause: 'key', ...holdersFrom(key_holders) },
        due: { cause: 'not-due', dueTime: due_time ?? undefined, isRetry: is_retry },
      }
    case JobState.waiting:
      return { children: { cause: 'children', ...holdersFrom(children ?? []) } }
    default:
      return {}
  }
}

function holdersFrom(ids: readonly (string | null)[]): Holders {
  const jobIds = ids.filter((id) => id !== null)
  return { jobIds, hidden: jobIds.length < ids.length }
}
