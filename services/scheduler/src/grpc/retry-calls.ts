import type { Turns } from '@offstage/kit/fairness'
import { type GuardedService, unary } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import type { RetryJob } from '../jobs/retry-job.ts'
import { callerOf } from './caller.ts'
import { jobTo } from './job-mapping.ts'
import { jobIdFrom, namespaceFor, requestIdFrom, requiredVersionFrom } from './mapping.ts'

/** What starts ended jobs anew. */
export function retryCalls(
  retryJob: RetryJob,
  turns: Turns,
): Pick<GuardedService<proto.JobServiceServer>, 'retryJob'> {
  return {
    retryJob: unary(
      'jobs.change',
      async (request: proto.RetryJobRequest, context) => {
        const { namespace, jobId, requestId, requiredVersion } = request
        const job = await retryJob(callerOf(context), {
          namespace: namespaceFor(context.actor, namespace),
          jobId: jobIdFrom(jobId),
          requestId: requestIdFrom(requestId),
          requiredVersion: requiredVersionFrom(requiredVersion),
        })
        return { job: jobTo(job, 'basic') }
      },
      turns,
    ),
  }
}
