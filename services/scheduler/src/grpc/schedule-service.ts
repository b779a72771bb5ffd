import {
  type CallContext,
  type GuardedService,
  pageTokenAt,
  pageTokenInvalid,
  positionFrom,
  unary,
} from '@offstage/kit/grpc'
import { textFault, timeFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { countFitting } from '../domain/answer-size.ts'
import type { Schedule } from '../domain/schedule.ts'
import { invalidField } from '../refusals.ts'
import type { Schedules } from '../schedules/schedules.ts'
import { callerOf } from './caller.ts'
import { namespaceFor, pageSizeFrom, requestIdFrom } from './mapping.ts'
import type { ReadingTurns } from './reading-turns.ts'
import { changesFrom, scheduleIdFrom, scheduleTo, termsFrom } from './schedule-mapping.ts'

export function scheduleService(
  use: Schedules,
  { reads, listings }: ReadingTurns,
): GuardedService<proto.ScheduleServiceServer> {
  const named = (request: { namespace: string; scheduleId: string }, context: CallContext) =>
    [
      callerOf(context),
      namespaceFor(context.actor, request.namespace),
      scheduleIdFrom(request.scheduleId),
    ] as const
  const told = (schedule: Schedule, { actor }: CallContext) => ({
    schedule: scheduleTo(schedule, actor),
  })
  return {
    ...listingCalls(use, { reads, listings }),

    createSchedule: unary(
      'schedules.write',
      async (request: proto.CreateScheduleRequest, context) => {
        const asked = given(request.schedule)
        const namespace = namespaceFor(context.actor, request.namespace || asked.namespace)
        const fault = textFault(asked.runAs, LIMITS.ownerCharactersMax)
        if (fault !== undefined) throw invalidField('schedule.run_as', fault)
        const id = scheduleIdFrom(asked.scheduleId, 'schedule.schedule_id')
        const requestId = requestIdFrom(request.requestId)
        const draft = { namespace, id, runAs: asked.runAs, requestId, terms: termsFrom(asked) }
        return told(await use.create(callerOf(context), draft), context)
      },
    ),

    updateSchedule: unary(
      'schedules.operate',
      async (request: proto.UpdateScheduleRequest, context) => {
        const asked = given(request.schedule)
        const namespace = namespaceFor(context.actor, request.namespace || asked.namespace)
        const id = scheduleIdFrom(asked.scheduleId, 'schedule.schedule_id')
        const change = changesFrom(asked, request.updateMask)
        const wanted = { ...change, etag: asked.etag }
        return told(await use.update(callerOf(context), namespace, id, wanted), context)
      },
    ),

    getSchedule: unary(
      'schedules.read',
      async (request: proto.GetScheduleRequest, context) =>
        told(await use.get(...named(request, context)), context),
      reads,
    ),

    deleteSchedule: unary(
      'schedules.write',
      async (request: proto.DeleteScheduleRequest, context) => {
        await use.remove(...named(request, context))
        return {}
      },
    ),

    pauseSchedule: unary(
      'schedules.operate',
      async (request: proto.PauseScheduleRequest, context) => {
        const fault = textFault(request.reason, LIMITS.cancelReasonCharactersMax)
        if (fault !== undefined) throw invalidField('reason', fault)
        return told(await use.pause(...named(request, context), request.reason), context)
      },
    ),

    resumeSchedule: unary(
      'schedules.operate',
      async (request: proto.ResumeScheduleRequest, context) =>
        told(await use.resume(...named(request, context)), context),
    ),

    triggerSchedule: unary(
      'schedules.operate',
      async (request: proto.TriggerScheduleRequest, context) => {
        const requestId = requestIdFrom(request.requestId)
        return { jobId: await use.trigger(...named(request, context), requestId) }
      },
    ),

    backfillSchedule: unary(
      'schedules.operate',
      async (request: proto.BackfillScheduleRequest, context) => {
        const span = { begin: timeFrom('begin_time', request), end: timeFrom('end_time', request) }
        const { jobIds, existing } = await use.backfill(...named(request, context), span)
        return { jobIds: [...jobIds], existingCount: existing }
      },
    ),
  }
}

type ListingCalls = Pick<
  GuardedService<proto.ScheduleServiceServer>,
  'listSchedules' | 'listNextRuns'
>

function listingCalls(use: Schedules, { reads, listings }: ReadingTurns): ListingCalls {
  return {
    listSchedules: unary(
      'schedules.read',
      async (request: proto.ListSchedulesRequest, context) => {
        const namespace = namespaceFor(context.actor, request.namespace)
        const size = pageSizeFrom(request.pageSize, 50)
        const listing = ['schedules', namespace]
        const after = positionFrom(request.pageToken, listing) ?? ''
        const found = await use.list(callerOf(context), namespace, { size: size + 1, after })
        const page = found.slice(0, Math.min(size, countFitting(found, scheduleBytes)))
        const more = found.length > page.length
        return {
          schedules: page.map((schedule) => scheduleTo(schedule, context.actor)),
          nextPageToken: more ? pageTokenAt(page.at(-1)?.id ?? '', listing) : '',
        }
      },
      listings,
    ),

    listNextRuns: unary(
      'schedules.read',
      async (request: proto.ListNextRunsRequest, context) => {
        const namespace = namespaceFor(context.actor, request.namespace)
        const id = scheduleIdFrom(request.scheduleId)
        const size = pageSizeFrom(request.pageSize, 10)
        const listing = ['next-runs', namespace, id]
        const after = runTimeFrom(positionFrom(request.pageToken, listing))
        const page = { size: size + 1, after }
        const found = await use.nextRuns(callerOf(context), namespace, id, page)
        const runTimes = found.slice(0, size)
        const last = runTimes.at(-1)?.toISOString() ?? ''
        const more = found.length > size
        return { runTimes, nextPageToken: more ? pageTokenAt(last, listing) : '' }
      },
      reads,
    ),
  }
}

function runTimeFrom(position: string | undefined): Date | undefined {
  if (position === undefined) return undefined
  const time = new Date(position)
  if (Number.isNaN(time.getTime())) throw pageTokenInvalid()
  return time
}

/** An upper bound: a UTF-16 unit takes three bytes at most. */
function scheduleBytes({ terms, owner, creator, id, pauseReason = '' }: Schedule): number {
  const { job, timing } = terms
  const labels = Object.entries(job.labels ?? {}).flat()
  const texts = [id, owner, owner, creator, pauseReason, job.key, job.method, ...labels]
  const crons = [...timing.crons, ...timing.excludedCrons]
  const characters = [...texts, ...crons].reduce((sum, { length }) => sum + length + 8, 0)
  return 2_000 + 3 * characters + (job.params.inline?.length ?? 0)
}

function given(schedule: proto.Schedule | undefined): proto.Schedule {
  if (schedule !== undefined) return schedule
  throw invalidField('schedule', 'is required')
}

function timeFrom<F extends 'begin_time' | 'end_time'>(
  field: F,
  request: proto.BackfillScheduleRequest,
): Date {
  const time = field === 'begin_time' ? request.beginTime : request.endTime
  if (time === undefined) throw invalidField(field, 'is required')
  const fault = timeFault(time)
  if (fault !== undefined) throw invalidField(field, fault)
  return time
}
