/** What this service answers, each API by the use cases it needs. */
import type { Logger } from '@offstage/kit/telemetry'
import { ExecutorServiceService } from '@offstage/proto/executor'
import {
  JobServiceService,
  NamespaceServiceService,
  ScheduleServiceService,
} from '@offstage/proto/jobs'
import { ExternalScalerService } from '@offstage/proto/scaling'
import { withStrictTexts } from '@offstage/proto/strict-texts'
import type { AttemptTokens } from '../attempts/attempt-tokens.ts'
import type { Executors } from '../executors/executors.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { Scaling } from '../load/scaling.ts'
import type { Locks } from '../locks/locks.ts'
import type { Namespaces } from '../namespaces/namespaces.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import type { Refreshes } from '../refreshes/refreshes.ts'
import type { DeclareSchedules } from '../schedules/declare.ts'
import type { Schedules } from '../schedules/schedules.ts'
import { attemptCalls } from './attempt-calls.ts'
import { executorService } from './executor-service.ts'
import { externalScaler } from './external-scaler.ts'
import { jobService } from './job-service.ts'
import { namespaceService } from './namespace-service.ts'
import type { ReadingTurns } from './reading-turns.ts'
import { scheduleService } from './schedule-service.ts'
import { valueCalls } from './value-calls.ts'

export interface UseCases {
  readonly jobs: Jobs
  readonly namespaces: Namespaces
  readonly locks: Locks
  readonly refreshes: Refreshes
  readonly schedules: Schedules
  readonly declare: DeclareSchedules
  readonly executors: Pick<Executors, 'serve' | 'schedulerName' | 'leaseMs'>
  readonly stores: Pick<SchedulerStores, 'acts' | 'callAttachments' | 'callMethods' | 'jobValues'>
  /** Absent in development mode. */
  readonly attempts: AttemptTokens | undefined
  readonly scaling: Scaling
}

export function grpcServices(use: UseCases, turns: ReadingTurns, log: Logger) {
  const { jobs, namespaces, locks, schedules, declare, executors, stores, attempts, scaling } = use
  const { cancelRunning } = jobs
  const ofNamespaces = { namespaces, locks, refreshes: use.refreshes, cancelRunning, stores }
  return [
    {
      definition: withStrictTexts(JobServiceService),
      implementation: jobService(jobs, turns, log),
    },
    {
      definition: withStrictTexts(ScheduleServiceService),
      implementation: scheduleService(schedules, turns),
    },
    {
      definition: withStrictTexts(NamespaceServiceService),
      implementation: namespaceService(ofNamespaces, turns),
    },
    {
      // A report never fails a job: what is no UTF-8 in its texts is replaced.
      definition: ExecutorServiceService,
      implementation: {
        ...executorService(executors, declare),
        ...attemptCalls(attempts),
        ...valueCalls(stores.jobValues),
      },
    },
    { definition: ExternalScalerService, implementation: externalScaler(scaling) },
  ]
}
