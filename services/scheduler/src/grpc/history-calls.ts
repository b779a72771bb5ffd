/** What callers do to single jobs of the history. */
import type { Turns } from '@offstage/kit/fairness'
import { type CallContext, type GuardedService, unary } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import type { JobId } from '../domain/ids.ts'
import type { Caller } from '../jobs/caller.ts'
import type { ChangeHistory } from '../jobs/change-history.ts'
import { callerOf } from './caller.ts'
import { jobIdFrom, namespaceFor } from './mapping.ts'

type HistoryCalls = Pick<
  GuardedService<proto.JobServiceServer>,
  'deleteJob' | 'pinJob' | 'unpinJob'
>

interface Named {
  readonly namespace: string
  readonly jobId: string
}

export function historyCalls(use: ChangeHistory, turns: Turns): HistoryCalls {
  const named = (request: Named, context: CallContext): [Caller, string, JobId] => [
    callerOf(context),
    namespaceFor(context.actor, request.namespace),
    jobIdFrom(request.jobId),
  ]
  const change = <Req extends Named>(work: (...job: ReturnType<typeof named>) => Promise<void>) =>
    unary<Req, Record<never, never>>(
      'jobs.change',
      async (request, context) => {
        await work(...named(request, context))
        return {}
      },
      turns,
    )
  return {
    deleteJob: change<proto.DeleteJobRequest>(use.remove),
    pinJob: change<proto.PinJobRequest>((...job) => use.pin(...job, true)),
    unpinJob: change<proto.UnpinJobRequest>((...job) => use.pin(...job, false)),
  }
}
