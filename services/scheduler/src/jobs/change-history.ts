/** What callers do to single jobs of the history: remove them, and keep them whatever the retention (row J12). */
import { mayForOthers } from '@offstage/kit/auth'
import type { JobId } from '../domain/ids.ts'
import type { HistoryStore } from '../ports/job-changes.ts'
import { jobNotFound } from '../refusals.ts'
import type { Caller } from './caller.ts'
import { jobNotFinished, parentNotFinished } from './refusals.ts'

export interface ChangeHistory {
  /** Only what has ended. */
  remove(caller: Caller, namespace: string, jobId: JobId): Promise<void>
  pin(caller: Caller, namespace: string, jobId: JobId, pinned: boolean): Promise<void>
}

export function createChangeHistory(store: HistoryStore): ChangeHistory {
  const asked = (caller: Caller, namespace: string, jobId: JobId) => {
    const owner = mayForOthers(caller, 'jobs.change') ? undefined : caller.user
    return { namespace, jobId, owner, by: caller }
  }
  return {
    async remove(caller, namespace, jobId) {
      const done = await store.remove(asked(caller, namespace, jobId))
      if (done === 'unfinished') throw jobNotFinished(jobId)
      if (done === 'keeps-parent') throw parentNotFinished(jobId)
      if (done === 'absent') throw jobNotFound(jobId)
    },
    async pin(caller, namespace, jobId, pinned) {
      const found = await store.pin(asked(caller, namespace, jobId), pinned)
      if (!found) throw jobNotFound(jobId)
    },
  }
}
