import { mayForOthers } from '@offstage/kit/auth'
import {
  bidiStream,
  type CallContext,
  type GuardedService,
  serverStream,
  statusFromError,
  unary,
} from '@offstage/kit/grpc'
import type { Logger } from '@offstage/kit/telemetry'
import { textFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { createRoom } from '../domain/answer-size.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { Started } from '../jobs/start-jobs.ts'
import { invalidField } from '../refusals.ts'
import { bulkCalls } from './bulk-calls.ts'
import { callerOf } from './caller.ts'
import { filterFrom } from './filter-mapping.ts'
import { historyCalls } from './history-calls.ts'
import * as map from './job-mapping.ts'
import { afterSequenceFrom, boundedMs, jobIdFrom, namespaceFor, pageSizeFrom } from './mapping.ts'
import type { ReadingTurns } from './reading-turns.ts'
import { retryCalls } from './retry-calls.ts'
import { rpcStatusOf } from './rpc-status.ts'
import { type StartOrigin, startCommandFrom } from './start-mapping.ts'
import { traceparentFor, tracestateFor } from './traceparent.ts'
import { followJobs, watchJobs } from './watch-jobs.ts'

const GRACE_MS = 10_000
const WAIT_MS = 30_000

export function jobService(
  use: Jobs,
  { reads, listings }: ReadingTurns,
  log: Logger,
): GuardedService<proto.JobServiceServer> {
  const newWatch = (context: CallContext, text: string) =>
    use.newWatch(callerOf(context), namespaceFor(context.actor, text))
  return {
    startJob: unary('jobs.start', async (request: proto.StartJobRequest, context) => {
      const { job: spec } = request
      if (spec === undefined) throw invalidField('job', 'is required')
      const command = startCommandFrom(spec, originOf(request, context))
      const [started] = await use.startJobs(
        callerOf(context),
        [command],
        inlineWaitOf(request),
        context.signal,
      )
      return { job: started && map.startedTo(started) }
    }),

    startJobs: unary('jobs.start', async (request: proto.StartJobsRequest, context) => {
      const { jobs } = request
      if (jobs.length === 0 || jobs.length > LIMITS.batchMax) {
        throw invalidField('jobs', `must be 1 to ${LIMITS.batchMax}`)
      }
      const origin = originOf(request, context)
      const commands = jobs.map((spec) => attempt(() => startCommandFrom(spec, origin)))
      const good = commands.flatMap((command) => ('error' in command ? [] : [command]))
      const started = await use.startJobs(
        callerOf(context),
        good,
        inlineWaitOf(request),
        context.signal,
      )
      let next = 0
      const hasRoom = createRoom()
      return {
        outcomes: commands.map((command) =>
          outcomeTo('error' in command ? command : started[next++], hasRoom, log),
        ),
      }
    }),

    getJob: unary(
      'jobs.read',
      async ({ namespace, jobId, view }: proto.GetJobRequest, context) => {
        const told = map.viewFrom(view, 'full')
        const job = await use.findJobs.get(
          callerOf(context),
          namespaceFor(context.actor, namespace),
          jobIdFrom(jobId),
          told,
        )
        return { job: map.jobTo(job, told) }
      },
      reads,
    ),

    listJobs: unary(
      'jobs.read',
      async (request: proto.ListJobsRequest, context) => {
        const filter = filterFrom(request.filter)
        const view = map.viewFrom(request.view, 'basic')
        const page = { size: pageSizeFrom(request.pageSize, 50), token: request.pageToken, view }
        const namespace = namespaceFor(context.actor, request.namespace)
        const { jobs, nextPageToken } = await use.findJobs.list(
          callerOf(context),
          namespace,
          filter,
          page,
        )
        return { jobs: jobs.map((job) => map.jobTo(job, view)), nextPageToken }
      },
      listings,
    ),

    waitJobs: unary('jobs.read', async (request: proto.WaitJobsRequest, context) => {
      const { jobIds } = request
      if (jobIds.length === 0 || jobIds.length > LIMITS.batchMax) {
        throw invalidField('job_ids', `must be 1 to ${LIMITS.batchMax}`)
      }
      const ids = jobIds.map((id, index) => jobIdFrom(id, `job_ids[${index}]`))
      const any = map.isAny(request.mode)
      const timeoutMs = boundedMs('timeout', request.timeout, WAIT_MS, LIMITS.waitMsMax)
      const namespace = namespaceFor(context.actor, request.namespace)
      const { standings, satisfied } = await use.findJobs.wait(
        callerOf(context),
        namespace,
        { ids, any, timeoutMs },
        context.signal,
      )
      const hasRoom = createRoom()
      const statuses = ids.map((id, index) => map.statusTo(id, standings[index], hasRoom))
      return { statuses, satisfied }
    }),

    watchJobs: bidiStream<proto.WatchJobsRequest, proto.WatchJobsResponse>(
      'jobs.read',
      (call, context) =>
        watchJobs(call, (namespace) => newWatch(context, namespace), context.signal),
    ),

    followJobs: serverStream('jobs.read', (request: proto.FollowJobsRequest, context) =>
      followJobs(request, newWatch(context, request.namespace), context.signal),
    ),

    cancelJob: unary(
      'jobs.cancel',
      async (request: proto.CancelJobRequest, context) => {
        const { state, outcome } = await use.cancelJob(callerOf(context), {
          namespace: namespaceFor(context.actor, request.namespace),
          jobId: jobIdFrom(request.jobId),
          ...cancelTermsFrom(request),
          cascade: request.cascade,
        })
        return { state, outcome }
      },
      reads,
    ),

    listJobMessages: unary(
      'jobs.read',
      async (request: proto.ListJobMessagesRequest, context) => {
        const { pageToken: token } = request
        const after = afterSequenceFrom(request.afterSequence, 'after_sequence')
        const { messages, ...page } = await use.findJobs.messages(
          callerOf(context),
          namespaceFor(context.actor, request.namespace),
          jobIdFrom(request.jobId),
          { after, token, size: pageSizeFrom(request.pageSize, 100) },
        )
        return { messages: messages.map(map.messageTo), ...page }
      },
      reads,
    ),

    countJobs: unary(
      'jobs.read',
      async (request: proto.CountJobsRequest, context) => {
        const filter = filterFrom(request.filter)
        const by = map.dimensionsFrom(request.by)
        const namespace = namespaceFor(context.actor, request.namespace)
        const counts = await use.findJobs.count(callerOf(context), namespace, filter, by)
        return { counts: counts.map(map.countTo) }
      },
      listings,
    ),

    ...bulkCalls(use.bulk, listings, cancelTermsFrom),
    ...historyCalls(use.changeHistory, reads),
    ...retryCalls(use.retryJob, reads),
    explainJob: unary(
      'jobs.read',
      async (request: proto.ExplainJobRequest, { actor }) => {
        const namespace = namespaceFor(actor, request.namespace)
        return map.explanationTo(await use.explainJob(actor, namespace, jobIdFrom(request.jobId)))
      },
      reads,
    ),
  }
}

function originOf({ namespace }: { namespace: string }, context: CallContext): StartOrigin {
  const { actor } = context
  const traceparent = traceparentFor(context)
  return {
    namespace: namespaceFor(actor, namespace),
    owner: actor.user,
    admin: mayForOthers(actor, 'jobs.start'),
    seesOthers: mayForOthers(actor, 'jobs.read'),
    // What a handler starts hangs on its job, also where it does not say so.
    parentId: actor.attempt?.jobId ?? '',
    attempt: actor.attempt,
    traceparent,
    tracestate: traceparent && tracestateFor(context),
  }
}

function cancelTermsFrom({ reason, grace }: Pick<proto.CancelJobRequest, 'reason' | 'grace'>) {
  const fault = textFault(reason, LIMITS.cancelReasonCharactersMax)
  if (fault !== undefined) throw invalidField('reason', fault)
  return { reason, graceMs: boundedMs('grace', grace, GRACE_MS, LIMITS.graceMsMax) }
}

function inlineWaitOf({ inlineWait }: { inlineWait: proto.StartJobRequest['inlineWait'] }): number {
  return boundedMs('inline_wait', inlineWait, 0, LIMITS.inlineWaitMsMax)
}

function attempt(parse: () => StartCommand): StartCommand | { error: unknown } {
  try {
    return parse()
  } catch (error) {
    return { error }
  }
}

function outcomeTo(
  started: Started | { error: unknown } | undefined,
  hasRoom: (bytes: number) => boolean,
  log: Logger,
): proto.StartJobOutcome {
  const error = started === undefined || 'error' in started ? started?.error : undefined
  if (started !== undefined && !('error' in started) && !('refusal' in started)) {
    return { outcome: { $case: 'started', value: map.startedTo(started, hasRoom) } }
  }
  const refusal = started !== undefined && 'refusal' in started ? started.refusal : error
  const fault = statusFromError(refusal, (cause) => log.error({ err: cause }, 'a start failed'))
  return { outcome: { $case: 'error', value: rpcStatusOf(fault) } }
}
