import type { ChangedJob } from '../domain/held-job.ts'
import { isTerminal, JobState } from '../domain/job-state.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import type { Backlog } from './backlog.ts'

export interface ChangesOptions {
  readonly feed: JobFeed
  readonly events: JobEvents
  readonly backlog: Backlog
  /** Whether a job of the method that ends, or gives its place back, may let another one begin. */
  isAwaited(namespace: string, method: string): boolean
  /** Parents whose handlers have returned, and attached children of which have ended, perhaps the last. */
  lookAtParents(ids: readonly string[]): void
  /** A key has become free. */
  keyFreed(): void
}

/** What follows from jobs having changed their state, whoever changed it: told once, here. */
export function createChanges(options: ChangesOptions): (jobs: readonly ChangedJob[]) => void {
  const { feed, events, isAwaited } = options
  return (jobs) => {
    const queued: ChangedJob[] = []
    const parents: string[] = []
    for (const job of jobs) {
      events.job(job.namespace, job.id, job.state, job.traceparent)
      if (isTerminal(job.state)) {
        feed.tell(job.id, 'state', job)
        if (job.key !== '') options.keyFreed()
        if (job.attachedTo !== undefined) parents.push(job.attachedTo)
      } else {
        // Its handler has returned: whoever else begins to wait does not change hands.
        if (job.state === JobState.waiting) parents.push(job.id)
        feed.tell(job.id, 'state')
      }
      const frees = isAwaited(job.namespace, job.method)
      if (frees || job.state === JobState.queued) queued.push(job)
    }
    options.backlog.announce(queued)
    if (parents.length > 0) options.lookAtParents(parents)
  }
}
