/** The slots of attached executors, those of all replicas, and what of them is in use. */
import type { Queryable } from '@offstage/kit/database'
import { isForegroundInSql } from '../domain/foreground.ts'
import { JobState } from '../domain/job-state.ts'
import type { SlotLane } from '../domain/lane.ts'
import type { ExecutorStanding, Load } from '../domain/load.ts'
import { poolFrom } from '../domain/pool.ts'
import { LANE_OF_JOB, LANE_OF_METHOD } from './methods.ts'

/** Jobs are counted before anything is looked up for them. */
const READ = {
  name: 'read_slot_load',
  text: `
    WITH live AS (
      SELECT a.id, a.namespace, a.in_doubt, e.draining, e.lanes, e.slots, e.methods, e.pools
      FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
      WHERE a.end_round IS NULL AND NOT ${isForegroundInSql('e.pools')}
    ), taking AS (SELECT * FROM live WHERE NOT draining AND NOT in_doubt),
    held AS (
      SELECT j.attachment_id, ${LANE_OF_JOB} AS lane, sum(j.jobs) AS used
      FROM (
        SELECT attachment_id, namespace, method, lane, count(*) AS jobs
        FROM offstage.jobs WHERE state = ${JobState.running}
        GROUP BY attachment_id, namespace, method, lane
      ) j GROUP BY 1, 2
    ), slot AS (
      SELECT taking.id, taking.namespace, u.lane, u.slots, least(coalesce(held.used, 0), u.slots) AS used
      FROM taking CROSS JOIN LATERAL unnest(taking.lanes, taking.slots) AS u(lane, slots)
      LEFT JOIN held ON held.attachment_id = taking.id AND held.lane = u.lane
    )
    SELECT 'lane' AS what, namespace, lane::text AS name, '' AS pool, sum(slots)::int AS count, sum(used)::int AS used
    FROM slot GROUP BY namespace, lane
    UNION ALL
    SELECT 'pool', slot.namespace, slot.lane::text, u.pool, sum(slot.slots)::int, sum(slot.used)::int
    FROM taking CROSS JOIN LATERAL unnest(taking.pools) AS u(pool) JOIN slot ON slot.id = taking.id
    GROUP BY slot.namespace, slot.lane, u.pool
    UNION ALL
    SELECT 'method', slot.namespace, slot.method, u.pool, sum(slot.slots)::int, sum(slot.used)::int
    FROM (
      SELECT slot.namespace, u.method, taking.pools, sum(slot.slots) AS slots, sum(slot.used) AS used
      FROM taking CROSS JOIN LATERAL unnest(taking.methods) AS u(method)
      JOIN slot ON slot.id = taking.id AND slot.lane = ${LANE_OF_METHOD('taking.namespace', 'u.method')}
      GROUP BY slot.namespace, u.method, taking.pools
    ) slot CROSS JOIN LATERAL unnest(slot.pools) AS u(pool)
    GROUP BY slot.namespace, slot.method, u.pool
    UNION ALL
    SELECT 'executor', namespace,
      CASE WHEN in_doubt THEN 'silent' WHEN draining THEN 'draining' ELSE 'attached' END, '', count(*)::int, 0
    FROM live GROUP BY 2, 3
    ORDER BY 1, 2, 3, 4`,
}

interface Row {
  what: 'lane' | 'pool' | 'method' | 'executor'
  namespace: string
  name: string
  pool: string
  count: number
  used: number
}

export async function readSlotLoad(database: Queryable): Promise<Omit<Load, 'exact' | 'queues'>> {
  const { rows } = await database.query<Row>(READ)
  const of = (what: Row['what']) => rows.filter((row) => row.what === what)
  return {
    lanes: of('lane').map(({ namespace, name, count, used }) => ({
      namespace,
      lane: Number(name) as SlotLane,
      slots: count,
      used,
    })),
    pools: of('pool').map(({ namespace, name, pool, count, used }) => ({
      namespace,
      lane: Number(name) as SlotLane,
      pool: poolFrom(pool),
      slots: count,
      used,
    })),
    methods: of('method').map(({ namespace, name, pool, count, used }) => ({
      namespace,
      method: name,
      pool: poolFrom(pool),
      slots: count,
      used,
    })),
    executors: of('executor').map(({ namespace, name, count }) => ({
      namespace,
      standing: name as ExecutorStanding,
      executors: count,
    })),
  }
}
