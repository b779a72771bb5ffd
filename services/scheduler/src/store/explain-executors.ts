/** The executors that run the method of a job, or did lately, as the database has them: read for explanations only. */
import type { Queryable } from '@offstage/kit/database'
import { isForegroundInSql } from '../domain/foreground.ts'
import type { SessionId } from '../domain/ids.ts'
import { JobState } from '../domain/job-state.ts'
import { requiredVersionOf, spelledPool } from '../domain/pool.ts'
import type { SeenExecutor } from '../domain/seen-executor.ts'
import { LANE_OF_JOB } from './methods.ts'
import { announcesVersion } from './versions.ts'

/** That are looked at for a free slot. */
const EXECUTORS_MAX = 1_000

/**
 * $1: namespace, $2: method, $3: lane, $4: pool as spelled, $5: schemas that the parameters do not fit, $6: the version that is required,
 * empty for none. Of each session the attachment that goes on, or else the last. A schema matters while there are others of the method, as in claims.
 */
const READ = {
  name: 'explain_executors',
  text: `
    SELECT seen.*, coalesce(seen.all_slots[array_position(seen.lanes, $3::smallint)], 0) AS slots,
      CASE WHEN seen.attached THEN (
        SELECT count(*)::int FROM offstage.jobs j
        WHERE j.attachment_id = seen.id AND j.state = ${JobState.running} AND ${LANE_OF_JOB} = $3::smallint) ELSE 0 END AS used
    FROM (
      SELECT DISTINCT ON (a.session_key) a.id, a.session_id, a.name, a.seen_time, a.end_round IS NULL AS attached, a.in_doubt,
        e.draining, e.pools, e.lanes, e.slots AS all_slots, e.pools @> ARRAY[$4::text] AS serves_pool,
        coalesce(e.versions->>$2, '') AS version, ${announcesVersion('$2', '$6')} AS has_version,
        NOT (coalesce($5::jsonb ? (e.schemas->>$2), false) AND EXISTS (
          SELECT FROM offstage.methods m
          WHERE m.namespace = $1 AND m.name = $2 AND jsonb_typeof(m.definition->'earlierParamsSchemas') = 'array')) AS fits
      FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
      WHERE a.namespace = $1 AND e.methods @> ARRAY[$2::text]
        AND (e.pools @> ARRAY[$4::text] OR NOT ${isForegroundInSql('e.pools')})
      ORDER BY a.session_key, a.end_round IS NULL DESC, a.attach_time DESC
    ) seen
    ORDER BY seen.attached AND NOT seen.draining AND NOT seen.in_doubt DESC, seen.serves_pool AND seen.has_version DESC, seen.fits DESC,
      seen.attached DESC, seen.seen_time DESC
    LIMIT ${EXECUTORS_MAX}`,
}

interface Row {
  session_id: SessionId
  name: string
  pools: string[]
  seen_time: Date
  attached: boolean
  draining: boolean
  in_doubt: boolean
  slots: number
  used: number
  serves_pool: boolean
  version: string
  has_version: boolean
  fits: boolean
}

export async function readExecutorsFor(
  database: Queryable,
  job: {
    readonly namespace: string
    readonly method: string
    readonly lane: number
    /** With the version it requires. */
    readonly pool: string
    readonly misfits: unknown
  },
): Promise<SeenExecutor[]> {
  const { namespace, method, lane, pool, misfits } = job
  const values = [
    ...[namespace, method, lane, spelledPool(pool)],
    ...[misfits === null ? null : JSON.stringify(misfits), requiredVersionOf(pool)],
  ]
  const { rows } = await database.query<Row>(READ, values)
  return rows.map((row) => ({
    sessionId: row.session_id,
    name: row.name,
    pools: row.pools,
    seenTime: row.seen_time,
    attached: row.attached,
    draining: row.draining,
    inDoubt: row.in_doubt,
    slots: row.slots,
    used: row.used,
    servesPool: row.serves_pool,
    version: row.version,
    hasVersion: row.has_version,
    fits: row.fits,
  }))
}
