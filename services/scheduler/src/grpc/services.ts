/** What this service answers, each API by the use cases it needs. */
import type { Logger } from '@offstage/kit/telemetry'
import { ExecutorServiceService } from '@offstage/proto/executor'
import {
  JobServiceService,
  NamespaceServiceService,
  ScheduleServiceService,
} from '@offstage/proto/jobs'
import type { AttemptTokens } from '../attempts/attempt-tokens.ts'
import type { Executors } from '../executors/executors.ts'
import type { Jobs } from '../jobs/jobs.ts'
import { attemptCalls } from './attempt-calls.ts'
import { scheduleService } from './coming-services.ts'
import { executorService } from './executor-service.ts'
import { jobService } from './job-service.ts'
import { type NamespaceUseCases, namespaceService } from './namespace-service.ts'
import type { ReadingTurns } from './reading-turns.ts'

export interface UseCases {
  readonly jobs: Jobs
  readonly namespaces: NamespaceUseCases
  readonly executors: Pick<Executors, 'serve' | 'schedulerName' | 'leaseMs'>
  /** Absent in development mode. */
  readonly attempts: AttemptTokens | undefined
}

export function grpcServices(
  { jobs, namespaces, executors, attempts }: UseCases,
  turns: ReadingTurns,
  log: Logger,
) {
  return [
    { definition: JobServiceService, implementation: jobService(jobs, turns, log) },
    { definition: ScheduleServiceService, implementation: scheduleService },
    { definition: NamespaceServiceService, implementation: namespaceService(namespaces) },
    {
      definition: ExecutorServiceService,
      implementation: { ...executorService(executors), ...attemptCalls(attempts) },
    },
  ]
}
