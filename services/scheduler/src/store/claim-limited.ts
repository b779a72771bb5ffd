/**
 * Claims of a method that has limits (row J20). A limit of five is never six, whatever dies: who holds the row of the method in
 * `method_gates` is the only one to let jobs of it begin, and counts those that run or wait by a statement that is begun
 * after it was taken, so with a snapshot that has all that began before. Nothing is counted in advance, so nothing drifts: an end
 * gives its place back by being one.
 *
 * Jobs that wait for their children count: they go on without being asked.
 */
import type { Database, Queryable } from '@offstage/kit/database'
import type { LimitedClaim, LimitedClaimRequest, QueueRef } from '../domain/held-job.ts'
import { JobState } from '../domain/job-state.ts'
import { storedLane } from '../domain/lane.ts'
import { spelledPool } from '../domain/pool.ts'
import { CLAIM_KEYED, CLAIM_WHOLE } from './claim-limited-sql.ts'
import { GATES_HELD, isOpen, pausedPools } from './gates.ts'
import { type ClaimedRow, takenFromRows } from './job-rows.ts'

/**
 * SQL that answers nothing of interest: what follows in the transaction is planned once for each connection, for planning takes several
 * times as long as running it; and it reads the heads of queues in the order of their index, where the planner, which does not
 * know how few they are, would gather and sort whole queues, and compile the plan for that. A plan that was made while the table was
 * small must be right when it has grown: rows are looked up one by one.
 */
const PLANNED = [
  ['plan_cache_mode', 'force_generic_plan'],
  ['enable_bitmapscan', 'off'],
  ['enable_seqscan', 'off'],
  ['enable_hashjoin', 'off'],
  ['enable_mergejoin', 'off'],
  ['jit', 'off'],
]
  .map(([name, value]) => `set_config('${name}', '${value}', true)`)
  .join(', ')

/** Queues of pools that are paused are left out of what is claimed. */
const ANY_POOL = 'NULL'

/** Waits for nobody: who holds it claims, and is done soon. */
const HOLD = {
  name: 'hold_limited_method',
  text: `
    WITH held AS (
      SELECT FROM offstage.method_gates g
      WHERE g.namespace = $1 AND g.method = $2 AND g.limited AND ${isOpen('$1', '$2', ANY_POOL)} AND ${GATES_HELD}
      FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT ${PLANNED}, EXISTS (SELECT FROM held) AS held,
      EXISTS (SELECT FROM offstage.method_gates g
        WHERE g.namespace = $1 AND g.method = $2 AND g.limited AND ${isOpen('$1', '$2', ANY_POOL)}) AS limited,
      EXISTS (SELECT FROM offstage.method_limits l WHERE l.namespace = $1 AND l.method = $2 AND l.keyed) AS keyed,
      ${pausedPools('$1')} AS paused_pools`,
}

/**
 * Jobs that were started before their method had a key expression, and have none of its values: they have the empty one. Those
 * ahead of others are nearly always among the first.
 */
const GIVE_KEYS = {
  name: 'give_limit_keys',
  text: `
    UPDATE offstage.jobs SET limit_key = ''
    WHERE id IN (
      SELECT j.id FROM offstage.jobs j
      WHERE j.state = ${JobState.queued} AND j.namespace = $1 AND j.method = $2 AND j.lane = ANY ($3::smallint[])
        AND j.limit_key IS NULL
      LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED)`,
}

interface HoldRow {
  held: boolean
  limited: boolean
  keyed: boolean
  paused_pools: string[]
}

type Row = (ClaimedRow | { id: null }) & { again_ms: number | null; last_key: string | null }

export function claimLimited(
  database: Database,
  request: LimitedClaimRequest,
): Promise<LimitedClaim> {
  const { namespace, method } = request
  return database.transaction(async (tx) => {
    const { rows } = await tx.query<HoldRow>(HOLD, [namespace, method])
    const [row] = rows
    if (!row?.held) return { ...NOTHING, busy: row?.limited ?? false }
    const isOpen = ({ pool }: QueueRef) => !row.paused_pools.includes(spelledPool(pool))
    const open = { ...request, queues: request.queues.filter(isOpen) }
    if (open.queues.length === 0) return NOTHING
    return row.keyed ? claimKeyed(tx, open) : claim(tx, open, CLAIM_WHOLE)
  })
}

const NOTHING = { taken: { jobs: [], unreadable: [] }, busy: false, againMs: undefined }

async function claimKeyed(tx: Queryable, request: LimitedClaimRequest): Promise<LimitedClaim> {
  const { namespace, method, queues, afterKey = '' } = request
  if (request.giveKeys) {
    const lanes = queues.map(({ lane, pool }) => storedLane(lane, pool))
    await tx.query(GIVE_KEYS, [namespace, method, lanes])
  }
  return claim(tx, request, CLAIM_KEYED, [afterKey])
}

async function claim(
  tx: Queryable,
  { namespace, method, queues, attachmentIds }: LimitedClaimRequest,
  statement: typeof CLAIM_WHOLE,
  more: readonly unknown[] = [],
): Promise<LimitedClaim> {
  const { rows } = await tx.query<Row>(statement, [
    namespace,
    method,
    queues.map(({ lane, pool }) => storedLane(lane, pool)),
    queues.map(({ pool }) => pool || null),
    queues.map(({ schema }) => schema ?? null),
    attachmentIds,
    ...more,
  ])
  const claimed = rows.filter((row): row is Row & ClaimedRow => row.id !== null)
  const { again_ms, last_key } = rows[0] ?? { again_ms: null, last_key: null }
  return {
    taken: takenFromRows(claimed),
    busy: false,
    againMs: again_ms ?? undefined,
    ...(last_key === null ? {} : { lastKey: last_key }),
  }
}
