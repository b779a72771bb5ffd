/** Cancels attached children that nobody waits for any more (row A5): their parent has ended before them, or tries again. */
import type { ParentStore } from '../ports/parents.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import { type CancelJobOptions, createTellCanceled } from './cancel-job.ts'

export interface CancelLeftBehindOptions extends CancelJobOptions {
  readonly parents: Pick<ParentStore, 'findLeftBehind'>
}

const BATCH = 100
/** As a cancel has that names none. */
const TERMS = { reason: 'its parent ended without it', graceMs: 10_000 }

export function createCancelLeftBehind(
  options: CancelLeftBehindOptions,
): (signal: AbortSignal) => Promise<void> {
  const { store, parents, leaseMs, changed } = options
  const tellCanceled = createTellCanceled(options)
  return async (signal) => {
    for (let full = true; full && !signal.aborted; ) {
      const found = await parents.findLeftBehind(BATCH)
      for (const { id: jobId, namespace, owner } of found) {
        // Its owner has asked for it by attaching it.
        const by = { user: owner, roles: [], peer: '', call: '' }
        const request = { ...TERMS, jobId, namespace, owner, by, leaseMs, cascade: false }
        const canceled = await retryConflicts(() => store.cancel(request))
        tellCanceled(canceled, TERMS)
        changed(canceled)
      }
      full = found.length === BATCH
    }
  }
}
