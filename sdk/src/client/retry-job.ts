import type { Job } from '@offstage/proto/jobs'
import { checkOptions } from '../arguments/check-options.ts'
import type { Calls } from './calls.ts'
import { jobNotFound } from './job-errors.ts'
import { RETRY_JOB_RULES } from './option-rules.ts'
import type { RetryJobOptions } from './options.ts'

/** Starts an ended job anew. By its request id the scheduler knows the call when it is repeated. */
export async function retryJob(
  calls: Calls,
  jobId: string,
  options: RetryJobOptions,
): Promise<Job> {
  checkOptions('retryJob', options, RETRY_JOB_RULES)
  const { requestId = calls.nextRequestId(), requiredVersion, signal } = options
  const { jobs } = calls.connection
  const { namespace } = calls.identity
  const request = { namespace, jobId, requestId, requiredVersion }
  const { job } = await calls.callScheduler(jobs.retryJob.bind(jobs), request, { signal })
  if (job === undefined) throw jobNotFound(jobId)
  return job
}
