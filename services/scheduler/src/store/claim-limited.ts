/**
 * Claims of a method that has limits (row J20). A limit of five is never six, whatever dies: who holds the row of the method in
 * `method_gates` is the only one to let jobs of it begin, and counts those that run or wait by a statement that is begun
 * after it was taken, so with a snapshot that has all that began before. Nothing is counted in advance, so nothing drifts: an end
 * gives its place back by being one. Starts that find room begin in the same way (insert-jobs.ts).
 *
 * It is one round trip to functions of the database (migrations, `limited-claims` and `full-methods`), so nobody who freezes holds the row.
 *
 * Jobs that wait for their children count: they go on without being asked.
 */
import type { Queryable } from '@offstage/kit/database'
import type { LimitedClaim, LimitedClaimRequest } from '../domain/held-job.ts'
import { storedLane } from '../domain/lane.ts'
import { COMMITS_LATER } from './commits-later.ts'
import { CLAIMED_COLUMNS, type ClaimedRow, takenFromRows } from './job-rows.ts'

/** The jobs, and one row without. */
const CLAIM = {
  name: 'claim_limited_jobs',
  text: `
    SELECT claim.busy, claim.queued, claim.again_ms, claim.last_key, claim.is_full, ${CLAIMED_COLUMNS}
    FROM offstage.claim_within_limits($1, $2, $3::smallint[], $4::text[], $5::text[], $6::uuid[], $7, $8, $9) claim
    CROSS JOIN LATERAL (SELECT (claim.job).*) j
    WHERE ${COMMITS_LATER}`,
}

type Row = ClaimedRow | Told

interface Told {
  readonly id: null
  readonly busy: boolean
  readonly queued: boolean | null
  readonly again_ms: number | null
  readonly last_key: string | null
  readonly is_full: boolean | null
}

export async function claimLimited(
  database: Queryable,
  request: LimitedClaimRequest,
): Promise<LimitedClaim> {
  const {
    namespace,
    method,
    queues,
    attachmentIds,
    afterKey = '',
    giveKeys,
    inExclusive = false,
  } = request
  const { rows } = await database.query<Row>(CLAIM, [
    namespace,
    method,
    queues.map(({ lane, pool }) => storedLane(lane, pool)),
    queues.map(({ pool }) => pool || null),
    queues.map(({ schema }) => schema ?? null),
    attachmentIds,
    afterKey,
    giveKeys,
    inExclusive,
  ])
  const told = rows.find((row): row is Told => row.id === null)
  return {
    taken: takenFromRows(rows.filter((row): row is ClaimedRow => row.id !== null)),
    busy: told?.busy ?? false,
    queued: told?.queued ?? false,
    againMs: told?.again_ms ?? undefined,
    isFull: told?.is_full ?? false,
    ...(told?.last_key == null ? {} : { lastKey: told.last_key }),
  }
}
