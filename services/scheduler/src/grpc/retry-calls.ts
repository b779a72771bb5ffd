import type { Turns } from '@offstage/kit/fairness'
import { type GuardedService, unary } from '@offstage/kit/grpc'
import { versionFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import type { RetryJob } from '../jobs/retry-job.ts'
import { invalidField } from '../refusals.ts'
import { callerOf } from './caller.ts'
import { jobTo } from './job-mapping.ts'
import { jobIdFrom, namespaceFor, requestIdFrom } from './mapping.ts'

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
        const fault = requiredVersion && versionFault(requiredVersion)
        if (fault) throw invalidField('required_version', fault)
        const job = await retryJob(callerOf(context), {
          namespace: namespaceFor(context.actor, namespace),
          jobId: jobIdFrom(jobId),
          requestId: requestIdFrom(requestId),
          requiredVersion,
        })
        return { job: jobTo(job, 'basic') }
      },
      turns,
    ),
  }
}
