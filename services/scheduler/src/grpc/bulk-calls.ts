/** What is done to all jobs that a filter selects. */
import type { Turns } from '@offstage/kit/fairness'
import { type CallContext, type GuardedService, unary } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import type { BulkVerb } from '../domain/bulk-job.ts'
import type { BulkCall, BulkJobs } from '../jobs/bulk-jobs.ts'
import type { JobSelection } from '../ports/bulk.ts'
import { invalidField } from '../refusals.ts'
import { callerOf } from './caller.ts'
import { filterFrom } from './filter-mapping.ts'
import { startedTo } from './job-mapping.ts'
import { boundedMs, namespaceFor, requestIdFrom, requiredVersionFrom } from './mapping.ts'
import { traceparentFor } from './traceparent.ts'

type BulkCalls = Pick<
  GuardedService<proto.JobServiceServer>,
  'cancelJobs' | 'retryJobs' | 'deleteJobs'
>

/** What the requests have in common. */
type BulkRequest = proto.DeleteJobsRequest
interface BulkAnswer {
  readonly job: proto.StartedJob | undefined
  readonly selection: proto.JobSelection | undefined
}

interface CancelTerms {
  readonly reason: string
  readonly graceMs: number
}
/** What one of the verbs alone is asked with. */
type VerbTerms = Pick<BulkCall, 'reason' | 'graceMs' | 'requiredVersion'>
const NO_TERMS: VerbTerms = { reason: '', graceMs: 0, requiredVersion: undefined }

/** @param listings for previews, which may look at very many */
export function bulkCalls(
  use: BulkJobs,
  listings: Turns,
  cancelTermsFrom: (request: proto.CancelJobsRequest) => CancelTerms,
): BulkCalls {
  const answer = async (
    verb: BulkVerb,
    request: BulkRequest,
    context: CallContext,
    terms: Partial<VerbTerms> = {},
  ): Promise<BulkAnswer> => {
    const caller = callerOf(context)
    const namespace = namespaceFor(context.actor, request.namespace)
    const requestId = requestIdFrom(request.requestId)
    const inlineWaitMs = boundedMs('inline_wait', request.inlineWait, 0, LIMITS.inlineWaitMsMax)
    const meant = { namespace, verb, filter: meantFrom(request) }
    if (request.validateOnly) {
      const preview = () => use.preview(caller, meant)
      const selection = await listings.take(caller.user, context, preview)
      return { job: undefined, selection: selectionTo(selection) }
    }
    const call = {
      ...meant,
      ...NO_TERMS,
      ...terms,
      requestId,
      traceparent: traceparentFor(context),
    }
    const started = await use.start(caller, call, inlineWaitMs, context.signal)
    return { job: startedTo(started), selection: undefined }
  }
  return {
    cancelJobs: unary('jobs.cancel', async (request: proto.CancelJobsRequest, context) => ({
      ...(await answer('cancel', request, context, cancelTermsFrom(request))),
      canceledCount: 0,
      more: false,
    })),
    retryJobs: unary('jobs.change', (request: proto.RetryJobsRequest, context) => {
      const requiredVersion = requiredVersionFrom(request.requiredVersion)
      return answer('retry', request, context, { requiredVersion })
    }),
    deleteJobs: unary('jobs.change', (request: proto.DeleteJobsRequest, context) =>
      answer('delete', request, context),
    ),
  }
}

/** That all are meant is said, and never what is left when nothing is. */
function meantFrom({ filter, all }: BulkRequest) {
  const terms = filterFrom(filter)
  if (all && terms.length > 0) {
    throw invalidField('all', 'is set beside a filter: give one of them')
  }
  if (!all && terms.length === 0) {
    throw invalidField('filter', 'is empty: say which jobs are meant, or set all')
  }
  return terms
}

function selectionTo({ count, more, sampleIds }: JobSelection): proto.JobSelection {
  return { count: BigInt(count), more, sampleJobIds: [...sampleIds] }
}
