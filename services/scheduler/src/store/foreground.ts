/** Sessions of callers that run their jobs themselves (row L7), and what becomes of those jobs once a session has gone. */
import type { Queryable } from '@offstage/kit/database'
import { isForegroundInSql, poolOfSessionInSql } from '../domain/foreground.ts'
import type { ChangedJob } from '../domain/held-job.ts'
import type { SessionKey } from '../domain/ids.ts'
import { JobState, TRANSITIONS } from '../domain/job-state.ts'
import { JOB_LANES, storedLane, storedLaneInSql } from '../domain/lane.ts'
import { requiredVersionOf, spelledPool } from '../domain/pool.ts'
import type { StartCommand } from '../domain/start-command.ts'
import { errorInSql } from './job-error-codec.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'
import { announcesVersion } from './versions.ts'

const SESSION_RUNS = {
  name: 'session_runs',
  text: `
    SELECT EXISTS (
      SELECT FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
      WHERE a.session_key = $1::uuid AND a.end_round IS NULL AND ${isForegroundInSql('e.pools')}
        AND e.methods @> ARRAY[$2::text] AND ${announcesVersion('$2', '$3')}) AS found`,
}

/** @param version it is required by; empty: whichever. */
export async function sessionRuns(
  database: Queryable,
  sessionKey: SessionKey,
  method: string,
  version: string,
): Promise<boolean> {
  const values = [sessionKey, method, version]
  const { rows } = await database.query<{ found: boolean }>(SESSION_RUNS, values)
  return rows[0]?.found ?? false
}

const IS_SERVED = {
  name: 'is_served',
  text: `
    SELECT EXISTS (
      SELECT FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
      WHERE a.namespace = $1 AND a.end_round IS NULL AND NOT a.in_doubt AND NOT e.draining
        AND e.methods @> ARRAY[$2::text] AND e.pools @> ARRAY[$3::text] AND ${announcesVersion('$2', '$4')}) AS found`,
}

export async function isServed(
  database: Queryable,
  { namespace, method, pool }: Pick<StartCommand, 'namespace' | 'method' | 'pool'>,
): Promise<boolean> {
  const values = [namespace, method, spelledPool(pool), requiredVersionOf(pool)]
  const { rows } = await database.query<{ found: boolean }>(IS_SERVED, values)
  return rows[0]?.found ?? false
}

const POOL = poolOfSessionInSql('gone.session_key')
const LANES = JOB_LANES.map((lane) => storedLane(lane, 'one')).join(', ')
const IS_BOUND = `j.options->>'foreground' = 'only'`
const LOST = `'The process of its caller, which was to run it, has gone.'`

/** SQL: where a job goes whose session it is not to wait for any more. */
export const HOME_POOL = `j.options->>'homePool'`
const HOME_LANE = storedLaneInSql('j.lane', HOME_POOL)
export const HOME_OPTIONS = `j.options - '{foreground,homePool}'::text[]`

/**
 * What waits for sessions that have gone, by the methods they ran: that is to run nowhere else ends, the rest goes on where it was started
 * for. Sessions are remembered for longer after their end than a start can be on its way.
 */
const LEAVE_GONE = {
  name: 'leave_gone_sessions',
  text: `
    WITH gone AS MATERIALIZED (
      SELECT DISTINCT a.namespace, a.session_key, m.name AS method
      FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
      CROSS JOIN LATERAL unnest(e.methods) AS m(name)
      WHERE a.end_round IS NOT NULL AND ${isForegroundInSql('e.pools')} AND NOT EXISTS (
        SELECT FROM offstage.attachments newer WHERE newer.session_key = a.session_key AND newer.end_round IS NULL)
    ), waiting AS MATERIALIZED (
      SELECT j.id FROM gone JOIN offstage.jobs j ON j.namespace = gone.namespace AND j.method = gone.method
        AND j.lane IN (${LANES}) AND j.pool = ${POOL} AND j.pool IS NOT NULL AND j.state = ${JobState.queued}
      UNION ALL
      SELECT j.id FROM gone JOIN offstage.jobs j ON j.namespace = gone.namespace AND j.method = gone.method
        AND j.pool = ${POOL} AND j.state = ${JobState.scheduled}
    ), picked AS (
      SELECT j.id FROM offstage.jobs j
      WHERE j.id = ANY (ARRAY(SELECT id FROM waiting LIMIT $1::int)) AND j.state IN (${JobState.scheduled}, ${JobState.queued})
      FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE offstage.jobs j SET revision = j.revision + 1,
      state = CASE WHEN ${IS_BOUND} THEN ${TRANSITIONS.abandon.to} ELSE j.state END,
      finish_time = CASE WHEN ${IS_BOUND} THEN now() END,
      error = CASE WHEN ${IS_BOUND} THEN ${errorInSql(LOST, 'EXECUTOR_SESSION_LOST')} ELSE j.error END,
      pool = CASE WHEN ${IS_BOUND} THEN j.pool ELSE ${HOME_POOL} END,
      lane = CASE WHEN ${IS_BOUND} THEN j.lane ELSE ${HOME_LANE} END,
      options = CASE WHEN ${IS_BOUND} THEN j.options ELSE ${HOME_OPTIONS} END
    FROM picked WHERE j.id = picked.id
    RETURNING ${CHANGED_COLUMNS}`,
}

export async function leaveGoneSessions(database: Queryable, limit: number): Promise<ChangedJob[]> {
  const { rows } = await database.query<ChangedRow>(LEAVE_GONE, [limit])
  return rows.map(changedFromRow)
}
