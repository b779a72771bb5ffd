/**
 * Removing finished jobs, with all that is their own.
 *
 * Their rows are locked first, and what hangs on them is looked up by a statement that begins after that: so nothing can be
 * recorded of a job between the two and stay behind.
 */
import type { Database, Queryable } from '@offstage/kit/database'
import { actOn } from '../domain/act.ts'
import { isTerminal, type JobState } from '../domain/job-state.ts'
import type { HistoryChange, HistoryStore } from '../ports.ts'
import { recordAct } from './acts.ts'
import { isNamedBy } from './job-values.ts'

/** Values that no other job names go the way of the outbox: storage takes them from there (row S6). */
const REMOVE = {
  name: 'remove_jobs',
  text: `
    WITH removed AS (
      DELETE FROM offstage.jobs WHERE id = ANY ($1::uuid[])
      RETURNING id, namespace, owner, params_address, result_address, additional_result->>'address' AS additional_address
    ), attempts AS (
      DELETE FROM offstage.job_attempts WHERE job_id = ANY ($1::uuid[])
    ), progress AS (
      DELETE FROM offstage.job_progress WHERE job_id = ANY ($1::uuid[])
    ), messages AS (
      DELETE FROM offstage.job_messages WHERE job_id = ANY ($1::uuid[])
    )
    INSERT INTO offstage.discarded_values (namespace, owner, address)
    SELECT r.namespace, r.owner, v.address
    FROM removed r CROSS JOIN LATERAL
      (VALUES (r.params_address), (r.result_address), (r.additional_address)) AS v(address)
    WHERE v.address IS NOT NULL AND NOT EXISTS (
      SELECT FROM offstage.jobs k WHERE k.id <> ALL ($1::uuid[]) AND ${isNamedBy('v.address')})`,
}

/** Of jobs whose rows the transaction has locked. */
export async function removeLocked(tx: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await tx.query(REMOVE, [ids])
}

const HOLD = {
  name: 'hold_job',
  text: `
    SELECT id, owner, state, pin_time IS NOT NULL AS pinned FROM offstage.jobs
    WHERE id = $2::uuid AND namespace = $1 AND ($3::text IS NULL OR owner = $3) FOR UPDATE`,
}

const PIN = {
  name: 'pin_job',
  text: 'UPDATE offstage.jobs SET pin_time = CASE WHEN $2::boolean THEN now() END WHERE id = $1::uuid',
}

interface HeldRow {
  id: string
  owner: string
  state: JobState
  pinned: boolean
}

export function createHistoryStore(database: Database): HistoryStore {
  /** The job, locked; undefined where there is none for who asks. What is done to that of somebody else is recorded. */
  const change = <T>(
    { namespace, jobId, owner, by }: HistoryChange,
    work: (tx: Queryable, job: HeldRow) => Promise<{ done: T; changed: boolean }>,
  ): Promise<T | undefined> =>
    database.transaction(async (tx) => {
      const { rows } = await tx.query<HeldRow>(HOLD, [namespace, jobId, owner ?? null])
      const [job] = rows
      if (job === undefined) return undefined
      const { done, changed } = await work(tx, job)
      const outcome = changed ? 'OK' : 'UNCHANGED'
      if (job.owner !== by.user) await recordAct(tx, actOn(by, namespace, [job], outcome))
      return done
    })
  return {
    async remove(asked) {
      const removed = await change(asked, async (tx, { state }) => {
        if (!isTerminal(state)) return { done: 'unfinished' as const, changed: false }
        await removeLocked(tx, [asked.jobId])
        return { done: 'removed' as const, changed: true }
      })
      return removed ?? 'absent'
    },
    async pin(asked, pinned) {
      const found = await change(asked, async (tx, job) => {
        const changed = job.pinned !== pinned
        if (changed) await tx.query(PIN, [asked.jobId, pinned])
        return { done: true, changed }
      })
      return found ?? false
    },
  }
}
