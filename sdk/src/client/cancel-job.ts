import { durationFrom } from '@offstage/proto/durations'
import type { CancelJobResponse } from '@offstage/proto/jobs'
import { checkOptions } from '../arguments/check-options.ts'
import type { Calls } from './calls.ts'
import { CANCEL_RULES } from './option-rules.ts'
import type { CancelOptions } from './options.ts'

/** Asks for a job to end (row J10). */
export function cancelJob(
  calls: Calls,
  jobId: string,
  options: CancelOptions,
): Promise<CancelJobResponse> {
  checkOptions('cancel', options, CANCEL_RULES)
  const { reason = '', graceMs, cascade = false } = options
  const { jobs } = calls.connection
  const { namespace } = calls.identity
  const request = { namespace, jobId, reason, grace: durationFrom(graceMs), cascade }
  return calls.callScheduler(jobs.cancelJob.bind(jobs), request)
}
