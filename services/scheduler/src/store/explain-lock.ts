/** Which lock a job that runs waits for, as the database has it: read for explanations only. */
import type { Queryable } from '@offstage/kit/database'
import type { Gate } from '../domain/gate.ts'
import { type ConflictRow, conflictFromRow, isHeld, isWaiting } from './lock-rows.ts'

/** The first thing in its way: a lock, that of a transaction, or who waits for one and came before. */
const READ = {
  name: 'explain_lock',
  text: `
    SELECT way.* FROM offstage.lock_waits w CROSS JOIN LATERAL (
      SELECT false AS is_waiting, l.name, l.owner, l.job_id, l.attempt, l.lease_id, l.acquire_time AS since, l.token AS number
      FROM offstage.locks l
      WHERE l.namespace = w.namespace AND l.name = w.name AND (l.exclusive OR w.exclusive) AND ${isHeld('l')}
      UNION ALL
      SELECT true, o.name, o.owner, o.job_id, o.attempt, o.lease_id, o.wait_time, o.place
      FROM offstage.lock_waits o
      WHERE o.namespace = w.namespace AND o.name = w.name AND (o.exclusive OR w.exclusive) AND o.place < w.place
        AND ${isWaiting('o')}
      UNION ALL
      SELECT false, w.name, t.owner, NULL, NULL, NULL, t.since, NULL
      FROM offstage.locks_of_transactions() t
      WHERE t.held AND t.key = offstage.lock_key(w.namespace, w.name) AND (t.exclusive OR w.exclusive)
    ) way
    WHERE w.job_id = $1::uuid AND ${isWaiting('w')}
    ORDER BY way.is_waiting, way.name, way.number LIMIT 1`,
}

/** @param owner whose jobs are named; undefined: all */
export async function readLockOf(
  database: Queryable,
  jobId: string,
  owner: string | undefined,
): Promise<Extract<Gate, { cause: 'lock' }> | undefined> {
  const { rows } = await database.query<ConflictRow>(READ, [jobId])
  const [row] = rows
  if (row === undefined) return undefined
  const lock = conflictFromRow(row)
  const { holder } = lock
  const isSeen = owner === undefined || lock.owner === owner
  const jobIds = holder.kind === 'job' && isSeen ? [holder.jobId] : []
  return { cause: 'lock', lock, jobIds, hidden: jobIds.length === 0 }
}
