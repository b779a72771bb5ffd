/** Schedules by plain gRPC. */
import { type Client, credentials } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { ask } from './ask.ts'
import { complete, type Draft } from './draft.ts'
import { clientOptions } from './faults/faults.ts'
import type { Bundle } from './setup.ts'

type Named = { readonly scheduleId: string; readonly namespace?: string }

export function connectSchedules({ scheduler, database }: Pick<Bundle, 'scheduler' | 'database'>) {
  const raw = new proto.ScheduleServiceClient(
    scheduler.address,
    credentials.createInsecure(),
    clientOptions(),
  )
  const call = <Req, Res>(
    method: Parameters<typeof ask<Req, Res>>[1],
    type: { fromPartial(draft: never): Req },
    draft: Draft<NoInfer<Req>>,
    user?: string,
  ) => ask<Req, Res>(raw as Client, method, type, draft, user)
  const scheduleOf = async (answer: Promise<{ schedule?: proto.Schedule | undefined }>) =>
    (await answer).schedule ?? complete(proto.Schedule, {})
  return {
    create: (
      schedule: Draft<proto.Schedule>,
      { user, requestId = '' }: { user?: string; requestId?: string } = {},
    ) =>
      scheduleOf(
        call(raw.createSchedule, proto.CreateScheduleRequest, { schedule, requestId }, user),
      ),
    update: (schedule: Draft<proto.Schedule>, updateMask: readonly string[] = [], user?: string) =>
      scheduleOf(
        call(
          raw.updateSchedule,
          proto.UpdateScheduleRequest,
          { schedule, updateMask } as never,
          user,
        ),
      ),
    get: (named: Named, user?: string) =>
      scheduleOf(call(raw.getSchedule, proto.GetScheduleRequest, named, user)),
    list: (page: Draft<proto.ListSchedulesRequest> = {}, user?: string) =>
      call<proto.ListSchedulesRequest, proto.ListSchedulesResponse>(
        raw.listSchedules,
        proto.ListSchedulesRequest,
        page,
        user,
      ),
    remove: (named: Named, user?: string) =>
      call(raw.deleteSchedule, proto.DeleteScheduleRequest, named, user),
    pause: (named: Named & { reason?: string }, user?: string) =>
      scheduleOf(call(raw.pauseSchedule, proto.PauseScheduleRequest, named, user)),
    resume: (named: Named, user?: string) =>
      scheduleOf(call(raw.resumeSchedule, proto.ResumeScheduleRequest, named, user)),
    trigger: (named: Named & { requestId?: string }, user?: string) =>
      call<proto.TriggerScheduleRequest, proto.TriggerScheduleResponse>(
        raw.triggerSchedule,
        proto.TriggerScheduleRequest,
        named,
        user,
      ),
    backfill: (span: Draft<proto.BackfillScheduleRequest>, user?: string) =>
      call<proto.BackfillScheduleRequest, proto.BackfillScheduleResponse>(
        raw.backfillSchedule,
        proto.BackfillScheduleRequest,
        span,
        user,
      ),
    nextRuns: (page: Draft<proto.ListNextRunsRequest>, user?: string) =>
      call<proto.ListNextRunsRequest, proto.ListNextRunsResponse>(
        raw.listNextRuns,
        proto.ListNextRunsRequest,
        page,
        user,
      ),
    /** Has one due time, so long ago, and the next one in ten years. */
    async makeDue(scheduleId: string, agoMs = 0) {
      const time = `(date_trunc('second', now()) - $2::float8 * interval '1 ms')`
      const anchor = `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
      const text = `UPDATE offstage.schedules SET due_time = ${time}, wake_time = ${time},
        terms = jsonb_set(terms, '{timing}', terms->'timing' || jsonb_build_object('crons', '[]'::jsonb,
          'intervalMs', ${10 * 365 * 86_400_000}, 'anchorTime', ${anchor})) WHERE id = $1`
      await database.query({ name: '', text }, [scheduleId, agoMs])
    },
    /** Its jobs, oldest first. */
    async jobs(scheduleId: string) {
      const text = `SELECT id, state, owner, labels, key, error->>'reason' AS reason, convert_from(params, 'UTF8') AS params,
          behind_key AS waits, cancel_time IS NOT NULL AS canceled
        FROM offstage.jobs WHERE kind = 3 AND labels->>'offstage.schedule' = $1 ORDER BY id`
      const { rows } = await database.query<ScheduledJob>({ name: '', text }, [scheduleId])
      return rows
    },
    [Symbol.dispose]: () => raw.close(),
  }
}

interface ScheduledJob {
  id: string
  state: number
  owner: string
  labels: Record<string, string>
  key: string | null
  reason: string | null
  params: string | null
  waits: boolean
  canceled: boolean
}
