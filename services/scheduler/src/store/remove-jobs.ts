/** What callers do to single jobs of the history. How a job is removed stands in the migration `remove-jobs`. */
import type { Database, Queryable } from '@offstage/kit/database'
import { actOn } from '../domain/act.ts'
import { isTerminal, JobState } from '../domain/job-state.ts'
import type { HistoryChange, HistoryStore } from '../ports/job-changes.ts'
import { recordAct } from './acts.ts'
import { countsForParent } from './parents.ts'

const REMOVE = {
  name: 'remove_jobs',
  text: 'SELECT offstage.remove_jobs($1::uuid[])',
}

/** SQL: an attached child that did not succeed; without it its parent would. */
export const KEEPS_PARENT = `(j.attached_to IS NOT NULL AND j.state > ${JobState.succeeded} AND ${countsForParent('j')})`

const HOLD = {
  name: 'hold_job',
  text: `
    SELECT j.id, j.owner, j.state, j.pin_time IS NOT NULL AS pinned, ${KEEPS_PARENT} AS keeps_parent FROM offstage.jobs j
    WHERE j.id = $2::uuid AND j.namespace = $1 AND ($3::text IS NULL OR j.owner = $3) FOR UPDATE OF j`,
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
  keeps_parent: boolean
}

/** Jobs whose rows are locked, and all that is their own. */
export async function removeJobs(tx: Queryable, ids: readonly string[]): Promise<void> {
  await tx.query(REMOVE, [ids])
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
      const removed = await change(asked, async (tx, { state, keeps_parent: keepsParent }) => {
        if (!isTerminal(state)) return { done: 'unfinished' as const, changed: false }
        if (keepsParent) return { done: 'keeps-parent' as const, changed: false }
        await removeJobs(tx, [asked.jobId])
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
