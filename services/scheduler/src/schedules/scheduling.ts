/** Schedules: what callers and code may ask of them, and what they do when they are due, wired to what they need. */
import type { Service } from '@offstage/kit/lifecycle'
import type { ChangedJob } from '../domain/held-job.ts'
import { NEXT_IS_DUE } from '../domain/schedule-run.ts'
import { createHints } from '../events/hints.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Jobs } from '../jobs/jobs.ts'
import { createRecordReads } from '../jobs/payload-reads.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import { createDeclareSchedules, type DeclareSchedules } from './declare.ts'
import { createRunSchedules, type RunSchedules } from './run-schedules.ts'
import { createSchedules, type Schedules } from './schedules.ts'

export interface SchedulingOptions {
  readonly stores: Pick<
    SchedulerStores,
    'schedules' | 'scheduleRuns' | 'declaredSchedules' | 'calls' | 'acts'
  >
  readonly jobs: Pick<Jobs, 'checkStart' | 'startJobs' | 'tellCanceled'>
  readonly events: JobEvents
  readonly leaseMs: number
  readonly ownerSchedulesMax: number
  readonly newId: () => string
  changed(jobs: readonly ChangedJob[]): void
  onError(error: unknown): void
}

export interface Scheduling {
  readonly schedules: Schedules
  readonly declare: DeclareSchedules
  /** Swept: creates the jobs of schedules that are due. */
  readonly runs: RunSchedules
  /** Hears what other replicas change. */
  readonly hints: Service
}

export function createScheduling(options: SchedulingOptions): Scheduling {
  const { stores, jobs, events, leaseMs, ownerSchedulesMax, newId, changed, onError } = options
  const { checkStart, startJobs } = jobs
  const runs = createRunSchedules({
    ...{ store: stores.scheduleRuns, checkStart, leaseMs, changed, onError },
    canceled: (canceled) => jobs.tellCanceled(canceled, NEXT_IS_DUE),
  })
  const shared = {
    ...{ store: stores.schedules, checkStart, events, newId, wake: runs.wake },
    ownerSchedulesMax,
  }
  return {
    schedules: createSchedules({
      ...{ ...shared, runs: stores.scheduleRuns, jobs: stores.calls, startJobs, changed },
      recordReads: createRecordReads(stores.acts),
    }),
    declare: createDeclareSchedules({ ...shared, declared: stores.declaredSchedules, onError }),
    runs,
    hints: createHints('schedule hints', () => events.onSchedulesChanged(runs.wake)),
  }
}
