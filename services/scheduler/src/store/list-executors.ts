import type { Queryable } from '@offstage/kit/database'
import type { AttachedExecutor } from '../domain/attached-executor.ts'
import type { SessionId, SessionKey } from '../domain/ids.ts'
import { JobState } from '../domain/job-state.ts'
import type { SlotLane } from '../domain/lane.ts'
import { labelsFromStored } from './labels-codec.ts'
import { LANE_OF_JOB } from './methods.ts'
import { readWhatCan } from './stored-shape.ts'

/** Used slots are counted from the jobs: those of one attachment are an index look-up. A job that waits has given its slot back. */
const LIST = {
  name: 'list_executors',
  text: `
    SELECT a.id, a.session_id, a.session_key, a.name, a.scheduler, a.attach_time, a.in_doubt,
      e.software, e.labels, e.lanes, e.slots, e.methods, e.pools, e.versions, e.draining,
      ARRAY(SELECT (
        SELECT count(*)::int FROM offstage.jobs j
        WHERE j.attachment_id = a.id AND j.state = ${JobState.running} AND ${LANE_OF_JOB} = l.lane)
      FROM unnest(e.lanes) WITH ORDINALITY AS l(lane, place) ORDER BY l.place) AS used
    FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
    WHERE a.namespace = $1 AND a.end_round IS NULL AND ($2::uuid IS NULL OR a.session_key > $2::uuid)
    ORDER BY a.session_key LIMIT $3::int`,
}

interface ExecutorRow {
  id: string
  session_id: SessionId
  session_key: SessionKey
  name: string
  scheduler: string
  attach_time: Date
  in_doubt: boolean
  software: string
  labels: unknown
  lanes: SlotLane[]
  slots: number[]
  used: number[]
  methods: string[]
  pools: string[]
  versions: Record<string, string> | null
  draining: boolean
}

export async function listExecutors(
  database: Queryable,
  namespace: string,
  page: { readonly size: number; readonly after: SessionKey | undefined },
): Promise<AttachedExecutor[]> {
  const { rows } = await database.query<ExecutorRow>(LIST, [namespace, page.after, page.size])
  return rows.map((row) => ({
    sessionId: row.session_id,
    sessionKey: row.session_key,
    name: row.name,
    software: row.software,
    labels: readWhatCan(labelsFromStored, row.labels, []) ?? {},
    scheduler: row.scheduler,
    lanes: row.lanes.map((lane, index) => ({
      lane,
      slots: row.slots[index] ?? 0,
      used: row.used[index] ?? 0,
    })),
    methods: row.methods,
    pools: row.pools,
    versions: row.versions ?? {},
    attachTime: row.attach_time,
    inDoubt: row.in_doubt,
    draining: row.draining,
  }))
}
