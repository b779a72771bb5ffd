/** How many jobs of each queue began lately while others waited in it: written now and then, read for explanations only. */
import type { Database, Queryable } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import { Lane, type SlotLane, storedLane } from '../domain/lane.ts'
import type { PaceSample } from '../domain/pace.ts'
import type { PaceStore } from '../ports/pace.ts'

/** What is older says nothing about now. */
const KEPT = "interval '10 minutes'"
/** The newest samples with so many starts are enough. */
const STARTS_ENOUGH = 50
const SAMPLES_MAX = 1_000

const hasQueued = (condition: string) => `EXISTS (
        SELECT FROM offstage.jobs j
        WHERE j.state = ${JobState.queued} AND j.namespace = u.namespace AND j.method = u.method
          AND j.lane IN (u.stored_lane, u.other_lane) ${condition})`

/** Those that have jobs now; a sample is written of what had some all the time. */
const RECORD = {
  name: 'record_pace',
  text: `
    WITH open AS MATERIALIZED (
      SELECT u.*
      FROM unnest($2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::smallint[], $7::text[], $8::int[], $9::float8[])
        WITH ORDINALITY AS u(namespace, method, lane, stored_lane, other_lane, pool, starts, period_ms, place)
      WHERE CASE WHEN u.pool = '' THEN ${hasQueued('')} ELSE ${hasQueued('AND j.pool = u.pool')} END
    ), recorded AS (
      INSERT INTO offstage.pace_samples (namespace, method, lane, pool, scheduler, starts, period_ms)
      SELECT namespace, method, lane, pool, $1, starts, period_ms FROM open WHERE period_ms IS NOT NULL
    )
    SELECT place::int - 1 AS index FROM open`,
}

const READ = {
  name: 'read_pace',
  text: `
    SELECT scheduler, starts, period_ms AS "periodMs"
    FROM (
      SELECT p.*, sum(p.starts) OVER (ORDER BY p.record_time DESC, p.scheduler) - p.starts AS newer
      FROM offstage.pace_samples p
      WHERE p.namespace = $1 AND p.method = $2 AND p.lane = $3::smallint AND p.pool = $4
        AND p.record_time > now() - ${KEPT}
    ) sample
    WHERE newer < ${STARTS_ENOUGH} ORDER BY record_time DESC LIMIT ${SAMPLES_MAX}`,
}

const FORGET = {
  name: 'forget_pace',
  text: `DELETE FROM offstage.pace_samples WHERE record_time < now() - ${KEPT}`,
}

export function createPaceStore(database: Database): PaceStore {
  return {
    async record(scheduler, queues) {
      const { rows } = await database.query<{ index: number }>(RECORD, [
        scheduler,
        queues.map(({ namespace }) => namespace),
        queues.map(({ method }) => method),
        queues.map(({ lane }) => lane),
        queues.map(({ lane, pool }) => storedLane(lane, pool)),
        queues.map(({ lane, pool, isOwnLane }) =>
          storedLane(isOwnLane ? Lane.ofMethod : lane, pool),
        ),
        queues.map(({ pool }) => pool),
        queues.map(({ starts }) => starts),
        queues.map(({ periodMs }) => periodMs ?? null),
      ])
      return new Set(rows.map(({ index }) => index))
    },
    async forgetOld() {
      await database.query(FORGET, [])
    },
  }
}

/** Newest first. */
export async function readPace(
  database: Queryable,
  queue: {
    readonly namespace: string
    readonly method: string
    readonly lane: SlotLane
    readonly pool: string
  },
): Promise<PaceSample[]> {
  const { namespace, method, lane, pool } = queue
  return (await database.query<PaceSample>(READ, [namespace, method, lane, pool])).rows
}
