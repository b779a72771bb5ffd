import type { Queryable } from '@offstage/kit/database'
import type { ClaimTerms, QueueRef, TakenJobs } from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'
import { JobState, TRANSITIONS } from '../domain/job-state.ts'
import { storedLane } from '../domain/lane.ts'
import { POOL_DEFAULT_IN_SQL, spelledPoolInSql } from '../domain/pool.ts'
import { COMMITS_LATER } from './commits-later.ts'
import { GATES_HELD, isOpenAndUnlimited, isShared } from './gates.ts'
import { CLAIMED_COLUMNS, type ClaimedRow, takenFromRows } from './job-rows.ts'

const headsWhere = (condition: string) => `
        SELECT j.id, j.priority, j.create_time
        FROM offstage.jobs j
        WHERE j.state = ${JobState.queued} AND j.namespace = $1 AND j.method = queue.method AND j.lane = queue.lane ${condition}
        ORDER BY j.priority DESC, j.create_time, j.id
        LIMIT $6::int
      `

/**
 * Best first over all the queues an executor serves: by priority, then by the time of the start, which is the database's; ids
 * may come from a client's clock (ADR 0010). Candidates are read without locks, twice as many as
 * wanted and as many as claims of this replica under way may take, because those that claim at the same time skip what the others have locked.
 *
 * IS TRUE keeps the planner away from the index of queues where the candidates are looked up by their ids: it would read all that is, and
 * lately was, queued, for each claim.
 */
const claimFrom = (name: string, candidates: string) => ({
  name,
  text: `
    WITH candidate AS (${candidates}
      LIMIT $6::int
    ), picked AS (
      SELECT j.id, j.priority, j.create_time
      FROM offstage.jobs j
      WHERE j.id = ANY (ARRAY(SELECT id FROM candidate)) AND (j.state = ${JobState.queued}) IS TRUE
      ORDER BY j.priority DESC, j.create_time, j.id
      LIMIT $5::int
      FOR UPDATE SKIP LOCKED
    ), numbered AS (
      SELECT id, row_number() OVER (ORDER BY priority DESC, create_time, id) AS place FROM picked
    )
    UPDATE offstage.jobs j
    SET state = ${TRANSITIONS.claim.to}, attempt = j.attempt + 1, revision = j.revision + 1,
      attachment_id = slot.attachment_id, start_time = now()
    FROM numbered
    JOIN unnest($4::uuid[]) WITH ORDINALITY AS slot(attachment_id, place) USING (place)
    WHERE j.id = numbered.id AND ${COMMITS_LATER}
    RETURNING ${CLAIMED_COLUMNS}`,
})

const claim = (name: string, columns: string, pool: string, heads: string) =>
  claimFrom(
    name,
    `
      SELECT head.id
      FROM (
        SELECT u.* FROM unnest($2::text[], $3::smallint[]${columns}
        WHERE ${isOpenAndUnlimited('$1', 'u.method', pool)} AND ${isShared('$1')} AND ${GATES_HELD}
      ) queue
      CROSS JOIN LATERAL (${heads}) head
      ORDER BY head.priority DESC, head.create_time, head.id`,
  )

const CLAIM = claim('claim_jobs', ') AS u(method, lane)', POOL_DEFAULT_IN_SQL, headsWhere(''))

/**
 * While executors differ in what they take of a method: not what is known not to fit. And of pools: of the two halves the one
 * that the queue is not in is not begun.
 */
const FITTING = `AND (queue.schema IS NULL OR j.options->'misfits' IS NULL OR NOT j.options->'misfits' ? queue.schema)`
const CLAIM_APART = claim(
  'claim_jobs_apart',
  ', $7::text[], $8::text[]) AS u(method, lane, pool, schema)',
  spelledPoolInSql('u.pool'),
  `
        (${headsWhere(`AND queue.pool IS NULL ${FITTING}`)})
        UNION ALL
        (${headsWhere(`AND queue.pool IS NOT NULL AND j.pool IS NOT NULL AND j.pool = queue.pool ${FITTING}`)})
`,
)

/** What begins while somebody has the namespace exclusively: of that there is little, whatever is queued beside it. */
const CLAIM_IN_EXCLUSIVE = claimFrom(
  'claim_jobs_in_exclusive',
  `
      SELECT j.id
      FROM (
        SELECT u.* FROM unnest($2::text[], $3::smallint[], $7::text[], $8::text[]) AS u(method, lane, pool, schema)
        WHERE ${isOpenAndUnlimited('$1', 'u.method', spelledPoolInSql('u.pool'))} AND ${GATES_HELD}
      ) queue
      JOIN offstage.exclusive_begins($1) j ON j.method = queue.method AND j.lane = queue.lane AND j.pool IS NOT DISTINCT FROM queue.pool
        ${FITTING}
      ORDER BY j.priority DESC, j.create_time, j.id`,
)

export async function claimJobs(
  database: Queryable,
  namespace: string,
  queues: readonly QueueRef[],
  attachmentIds: readonly AttachmentId[],
  { inExclusive = false, underWay = 0 }: ClaimTerms = {},
): Promise<TakenJobs> {
  const isApart =
    inExclusive || queues.some(({ pool, schema }) => pool !== '' || schema !== undefined)
  const { rows } = await database.query<ClaimedRow>(statementFor(isApart, inExclusive), [
    namespace,
    queues.map(({ method }) => method),
    queues.map(({ lane, pool }) => storedLane(lane, pool)),
    attachmentIds,
    attachmentIds.length,
    attachmentIds.length * 2 + underWay,
    ...(isApart
      ? [queues.map(({ pool }) => pool || null), queues.map(({ schema }) => schema ?? null)]
      : []),
  ])
  return takenFromRows(rows)
}

function statementFor(isApart: boolean, inExclusive: boolean) {
  if (inExclusive) return CLAIM_IN_EXCLUSIVE
  return isApart ? CLAIM_APART : CLAIM
}
