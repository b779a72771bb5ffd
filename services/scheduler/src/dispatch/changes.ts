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
  /** A key has become free. */
  keyFreed(): void
}

/** What follows from jobs having changed their state, whoever changed it: told once, here. */
export function createChanges(options: ChangesOptions): (jobs: readonly ChangedJob[]) => void {
  const { feed, events, isAwaited } = options
  return (jobs) => {
    const queued: ChangedJob[] = []
    for (const job of jobs) {
      events.job(job.namespace, job.id, job.state, job.traceparent)
      if (isTerminal(job.state)) {
        feed.tell(job.id, 'state', job)
        if (job.key !== '') options.keyFreed()
      } else {
        feed.tell(job.id, 'state')
      }
      const frees = isAwaited(job.namespace, job.method)
      if (frees || job.state === JobState.queued) queued.push(job)
    }
    options.backlog.announce(queued)
  }
}
