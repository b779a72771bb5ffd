/** Where the messages of schedules and the domain's schedules meet. */
import { type Actor, mayTouch } from '@offstage/kit/auth'
import { durationFrom, msFrom } from '@offstage/proto/durations'
import { durationFault, textFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { CHILDREN_POLICIES } from '../domain/attached-children.ts'
import type { Timing } from '../domain/due-times.ts'
import { requiredVersionOf, withoutVersion } from '../domain/pool.ts'
import type { OverlapPolicy, Schedule, ScheduledStart, ScheduleTerms } from '../domain/schedule.ts'
import { invalidField } from '../refusals.ts'
import { deadlinesTo, payloadTo, retryTo } from './mapping.ts'
import { startCommandFrom } from './start-mapping.ts'

const CATCH_UP_MS = 60_000
const CATCH_UP_MAX = 100

const POLICIES: readonly OverlapPolicy[] = [
  'skip',
  'queue-one',
  'allow',
  'cancel-running',
  'queue-all',
]

export function scheduleIdFrom(id: string, field = 'schedule_id'): string {
  const fault = id === '' ? 'is required' : textFault(id, LIMITS.scheduleIdCharactersMax)
  if (fault === undefined) return id
  throw invalidField(field, fault)
}

export function termsFrom(schedule: proto.Schedule): ScheduleTerms {
  const catchUpMs = msFrom(schedule.catchUpWindow) ?? CATCH_UP_MS
  const fault = durationFault(catchUpMs)
  if (fault !== undefined) throw invalidField('schedule.catch_up_window', fault)
  const overlap = POLICIES[schedule.overlapPolicy === 0 ? 0 : schedule.overlapPolicy - 1]
  if (overlap === undefined) throw invalidField('schedule.overlap_policy', 'is not a known value')
  return {
    job: jobFrom(schedule.job),
    timing: timingFrom(schedule),
    overlap,
    catchUpMs,
    catchUpMax: countFrom('catch_up_limit', schedule.catchUpLimit || CATCH_UP_MAX),
    pauseAfterFailures: countFrom('pause_after_failures', schedule.pauseAfterFailures, 0),
  }
}

function countFrom(field: string, count: number, min = 1): number {
  if (count >= min && count <= LIMITS.batchMax) return count
  throw invalidField(`schedule.${field}`, `must be within ${min} and ${LIMITS.batchMax}`)
}

function timingFrom(schedule: proto.Schedule): Timing {
  const { timing } = schedule
  const cron = timing?.$case === 'cron' ? [timing.value] : []
  if (cron.length === 0 && schedule.crons.length > 0) {
    throw invalidField(
      'schedule.crons',
      'are more expressions beside cron: give the first one there',
    )
  }
  return {
    crons: [...cron, ...schedule.crons],
    intervalMs: timing?.$case === 'interval' ? msFrom(timing.value) : undefined,
    anchorTime: schedule.anchorTime,
    excludedCrons: schedule.excludedCrons,
    timeZone: schedule.timeZone || 'UTC',
    beginTime: schedule.beginTime,
    endTime: schedule.endTime,
    jitterMs: msFrom(schedule.jitter) ?? 0,
  }
}

/** What belongs to one start, or does not last as long as a schedule. */
const NOT_OF_SCHEDULES = {
  startTime: ['start_time', 'is not for schedules: their times say when'],
  delay: ['delay', 'is not for schedules: their times say when'],
  requestId: ['request_id', 'is not for schedules: each due time is its own start'],
  parentJobId: ['parent_job_id', 'is not for schedules: their jobs have no parent'],
  scope: ['scope', 'is not for schedules: a scope ends'],
  resultAddress: ['result_address', 'is not for schedules: an address takes one result'],
  additionalResultAddress: [
    'additional_result_address',
    'is not for schedules: an address takes one result',
  ],
  traceparent: ['traceparent', 'is not for schedules: each job has a trace of its own'],
  fallbackMethod: [
    'fallback_method',
    'is not for schedules: one is created for a method that is known',
  ],
  executorSessionId: ['executor_session_id', 'is not for schedules: a session ends'],
  leaseId: ['lease_id', 'is not for schedules: a lease ends'],
  tracestate: ['tracestate', 'is not for schedules: each job has a trace of its own'],
} as const satisfies Partial<Record<keyof proto.JobSpec, readonly [string, string]>>

function jobFrom(spec: proto.JobSpec | undefined): ScheduledStart {
  if (spec === undefined) throw invalidField('schedule.job', 'is required')
  for (const name in NOT_OF_SCHEDULES) {
    const key = name as keyof typeof NOT_OF_SCHEDULES
    const [field, why] = NOT_OF_SCHEDULES[key]
    if (spec[key] !== undefined && spec[key] !== '')
      throw invalidField(`schedule.job.${field}`, why)
  }
  const origin = { namespace: '', owner: '', admin: false, seesOthers: false, parentId: '' }
  const command = startCommandFrom(spec, { ...origin, traceparent: '', tracestate: '' })
  const { method, params, lane, priority, pool, key, keyConflict, labels, options } = command
  if (params.address !== undefined) {
    throw invalidField('schedule.job.params', 'must be in place: a value in temp storage ends')
  }
  return { method, params, lane, priority, pool, key, keyConflict, labels, options }
}

/** As the actor may see it. */
export function scheduleTo(schedule: Schedule, actor: Actor): proto.Schedule {
  const told = scheduleOf(schedule)
  if (schedule.unreadable !== undefined) return withoutTerms(told, schedule.unreadable)
  if (mayTouch(actor, 'jobs.payload', schedule) || told.job === undefined) return told
  return { ...told, job: { ...told.job, params: undefined }, payloadHidden: true }
}

function withoutTerms(told: proto.Schedule, unreadable: string): proto.Schedule {
  return { ...told, job: undefined, timing: undefined, overlapPolicy: 0, unreadable }
}

/** All of it. */
export function scheduleOf(schedule: Schedule): proto.Schedule {
  const { terms, owner, dueTime } = schedule
  const { timing } = terms
  const [cron, ...crons] = timing.crons
  return {
    scheduleId: schedule.id,
    namespace: schedule.namespace,
    job: specOf(terms.job),
    timing:
      cron === undefined
        ? { $case: 'interval', value: durationFrom(timing.intervalMs ?? 0) }
        : { $case: 'cron', value: cron },
    crons,
    excludedCrons: [...timing.excludedCrons],
    anchorTime: timing.anchorTime,
    timeZone: timing.timeZone,
    beginTime: timing.beginTime,
    endTime: timing.endTime,
    jitter: durationFrom(timing.jitterMs),
    overlapPolicy: (POLICIES.indexOf(terms.overlap) + 1) as proto.OverlapPolicy,
    catchUpWindow: durationFrom(terms.catchUpMs),
    catchUpLimit: terms.catchUpMax,
    pauseAfterFailures: terms.pauseAfterFailures,
    runAs: owner,
    paused: schedule.pauseReason !== undefined,
    pauseReason: schedule.pauseReason ?? '',
    predefined: schedule.predefined,
    etag: String(schedule.revision),
    owner,
    creator: schedule.creator,
    nextRunTime: dueTime,
    lastDueTime: schedule.lastDueTime,
    lastJobId: schedule.lastJobId,
    failuresInRow: schedule.failuresInRow,
    createTime: schedule.createTime,
    updateTime: schedule.updateTime,
    payloadHidden: undefined,
    unreadable: undefined,
  }
}

const KEY_CONFLICTS = { refuse: 1, 'return-running': 2, 'queue-behind': 3 } as const

function specOf(job: ScheduledStart): proto.JobSpec {
  const { options } = job
  const deadlines = options && deadlinesTo(options)
  const isLimited = deadlines && Object.values(deadlines).some((each) => each !== undefined)
  return {
    method: job.method,
    params: payloadTo(job.params),
    key: job.key,
    keyConflictPolicy: KEY_CONFLICTS[job.keyConflict] as proto.KeyConflictPolicy,
    kind: 3 as proto.JobKind,
    lane: job.lane as proto.Lane,
    priority: job.priority,
    pool: withoutVersion(job.pool),
    requiredVersion: requiredVersionOf(job.pool),
    labels: { ...job.labels },
    displayName: options?.displayName ?? '',
    wantAdditionalResult: options?.wantAdditionalResult ?? false,
    retryPolicy: retryTo(options?.retry),
    deadlines: isLimited ? deadlines : undefined,
    cancelWithParent: options?.cancelWithParent ?? false,
    ...{ requestId: '', parentJobId: '', fallbackMethod: '', scope: '', resultAddress: '' },
    ...{ additionalResultAddress: '', executorSessionId: '', traceparent: '', tracestate: '' },
    ...{ startTime: undefined, delay: undefined, paramsOwned: false },
    ...{ automatic: true, leaseId: '', attached: false, mode: 0 as const },
    childrenPolicy: options?.childrenPolicy ? CHILDREN_POLICIES[options.childrenPolicy] : 0,
  }
}

/** Fields of a schedule that can be changed, with what in the message they are. */
const CHANGEABLE = {
  job: ['job'],
  cron: ['timing', 'crons'],
  crons: ['timing', 'crons'],
  interval: ['timing', 'crons'],
  anchor_time: ['anchorTime'],
  excluded_crons: ['excludedCrons'],
  time_zone: ['timeZone'],
  begin_time: ['beginTime'],
  end_time: ['endTime'],
  jitter: ['jitter'],
  overlap_policy: ['overlapPolicy'],
  catch_up_window: ['catchUpWindow'],
  catch_up_limit: ['catchUpLimit'],
  pause_after_failures: ['pauseAfterFailures'],
} as const satisfies Record<string, readonly (keyof proto.Schedule)[]>
type Changeable = keyof typeof CHANGEABLE

const OF_NO_TIME: readonly string[] = [
  'job',
  'overlap_policy',
  'catch_up_window',
  'catch_up_limit',
  'pause_after_failures',
]

export function changesFrom(asked: proto.Schedule, mask: readonly string[] | undefined) {
  const all = Object.keys(CHANGEABLE) as Changeable[]
  const isWhole = mask === undefined || mask.length === 0
  const runAs = isWhole ? asked.runAs : ''
  const fields = isWhole ? all : mask.map(changeableFrom)
  const keys = new Set(
    fields.flatMap((field): readonly (keyof proto.Schedule)[] => CHANGEABLE[field]),
  )
  return {
    changesJob: keys.has('job'),
    changesTiming: fields.some((field) => !OF_NO_TIME.includes(field)),
    /** The terms as they are then. */
    applyTo(schedule: Schedule): ScheduleTerms {
      if (runAs !== '' && runAs !== schedule.owner) {
        throw invalidField('schedule.run_as', 'cannot be changed: create another schedule')
      }
      const changed = Object.fromEntries([...keys].map((key) => [key, asked[key]]))
      const spec = asked.job
      const merged = { ...scheduleOf(schedule), ...changed }
      const job = keys.has('job') ? spec : merged.job && { ...merged.job, kind: 0 as proto.JobKind }
      return termsFrom({ ...merged, job })
    },
  }
}

function changeableFrom(path: string): Changeable {
  if (Object.hasOwn(CHANGEABLE, path)) return path as Changeable
  throw invalidField('update_mask', `must name ${Object.keys(CHANGEABLE).join(', ')}, nothing else`)
}
