/** What callers may ask of jobs: the use cases, wired to what they need. */
import type { Actor } from '@offstage/kit/auth'
import type { Turns } from '@offstage/kit/fairness'
import { createExplainJob, type ExplainJob } from '../admission/explain.ts'
import type { Dispatch } from '../dispatch/dispatch.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { Methods } from '../executors/methods.ts'
import type { JobStore } from '../ports.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { type InTurn, JobWatch } from '../waits/job-watch.ts'
import { type CancelJob, createCancelJob } from './cancel-job.ts'
import { createFindJobs, type FindJobs } from './find-jobs.ts'
import { createReadStandings } from './read-standings.ts'
import { sightOf } from './sight.ts'
import { createStartJobs, type StartJobs } from './start-jobs.ts'

export interface JobsOptions {
  readonly store: JobStore
  readonly attachments: Attachments
  readonly methods: Methods
  readonly dispatch: Pick<Dispatch, 'starts' | 'changed'>
  readonly feed: JobFeed
  readonly events: JobEvents
  readonly leaseMs: number
  /** Watches read in turn. */
  readonly reads: Turns
}

export interface Jobs {
  readonly startJobs: StartJobs
  readonly findJobs: FindJobs
  readonly cancelJob: CancelJob
  readonly explainJob: ExplainJob
  newWatch(actor: Actor, namespace: string): JobWatch
}

export function createJobs(options: JobsOptions): Jobs {
  const { store, attachments, methods, dispatch, feed, events, leaseMs, reads } = options
  const { starts, changed } = dispatch
  const readStandings = createReadStandings(store)
  return {
    startJobs: createStartJobs({ starts, methods, feed, readStandings, store }),
    findJobs: createFindJobs({ store, feed, readStandings }),
    cancelJob: createCancelJob({ store, attachments, events, leaseMs, changed }),
    explainJob: createExplainJob(store),
    newWatch(actor, namespace) {
      const sightOfOwner = (owner: string) => sightOf(actor, { namespace, owner })
      const inTurn: InTurn = (read) => reads.take(actor.user, undefined, read)
      return new JobWatch({ feed, store, namespace, sightOf: sightOfOwner, inTurn })
    },
  }
}
