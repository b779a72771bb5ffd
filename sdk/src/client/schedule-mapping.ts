import { durationFrom, msFrom } from '@offstage/proto/durations'
import type { OverlapPolicy, Schedule } from '@offstage/proto/jobs'
import {
  OVERLAPS,
  type OverlapName,
  type ScheduleInfo,
  type ScheduleTimes,
} from './schedule-options.ts'

/** The fields of the message that each option is in. */
const FIELDS: Readonly<Record<keyof ScheduleTimes, string>> = {
  cron: 'cron',
  intervalMs: 'interval',
  anchor: 'anchor_time',
  exclude: 'excluded_crons',
  timeZone: 'time_zone',
  begin: 'begin_time',
  end: 'end_time',
  jitterMs: 'jitter',
  overlap: 'overlap_policy',
  catchUpMs: 'catch_up_window',
  catchUpMax: 'catch_up_limit',
  pauseAfterFailures: 'pause_after_failures',
}

/** What is given, as it is sent, and the names of its fields. */
export function wireChangeFrom(given: ScheduleTimes): {
  readonly schedule: Schedule
  readonly updateMask: string[]
} {
  const names = Object.keys(FIELDS) as (keyof ScheduleTimes)[]
  const updateMask = names.filter((name) => given[name] !== undefined).map((name) => FIELDS[name])
  const [cron, ...crons] = typeof given.cron === 'string' ? [given.cron] : (given.cron ?? [])
  const schedule: Schedule = {
    ...NOTHING,
    timing: timingFrom(cron, given.intervalMs),
    crons,
    anchorTime: given.anchor,
    excludedCrons: [...(given.exclude ?? [])],
    timeZone: given.timeZone ?? '',
    beginTime: given.begin,
    endTime: given.end,
    jitter: durationFrom(given.jitterMs),
    overlapPolicy: overlapFrom(given.overlap),
    catchUpWindow: durationFrom(given.catchUpMs),
    catchUpLimit: given.catchUpMax ?? 0,
    pauseAfterFailures: given.pauseAfterFailures ?? 0,
  }
  return { schedule, updateMask }
}

function overlapFrom(overlap: OverlapName | undefined): OverlapPolicy {
  return (overlap === undefined ? 0 : OVERLAPS.indexOf(overlap) + 1) as OverlapPolicy
}

function timingFrom(cron: string | undefined, intervalMs: number | undefined): Schedule['timing'] {
  if (cron !== undefined && intervalMs !== undefined) {
    throw new TypeError('cron and intervalMs exclude each other: give either')
  }
  if (cron !== undefined) return { $case: 'cron', value: cron }
  return intervalMs === undefined
    ? undefined
    : { $case: 'interval', value: durationFrom(intervalMs) }
}

const NOTHING: Schedule = {
  scheduleId: '',
  namespace: '',
  job: undefined,
  timing: undefined,
  timeZone: '',
  beginTime: undefined,
  endTime: undefined,
  jitter: undefined,
  overlapPolicy: 0,
  catchUpWindow: undefined,
  paused: false,
  predefined: false,
  etag: '',
  owner: '',
  nextRunTime: undefined,
  lastJobId: '',
  crons: [],
  excludedCrons: [],
  anchorTime: undefined,
  catchUpLimit: 0,
  pauseAfterFailures: 0,
  runAs: '',
  pauseReason: '',
  failuresInRow: 0,
  createTime: undefined,
  updateTime: undefined,
  lastDueTime: undefined,
  creator: '',
  payloadHidden: undefined,
}

export function scheduleInfoFrom(wire: Schedule = NOTHING): ScheduleInfo {
  const { timing, job } = wire
  return {
    id: wire.scheduleId,
    namespace: wire.namespace,
    method: job?.method ?? '',
    key: job?.key ?? '',
    labels: job?.labels ?? {},
    params: paramsOf(job?.params),
    paramsHidden: wire.payloadHidden ?? false,
    cron: timing?.$case === 'cron' ? [timing.value, ...wire.crons] : [],
    intervalMs: timing?.$case === 'interval' ? msFrom(timing.value) : undefined,
    anchor: wire.anchorTime,
    exclude: wire.excludedCrons,
    timeZone: wire.timeZone,
    begin: wire.beginTime,
    end: wire.endTime,
    jitterMs: msFrom(wire.jitter) ?? 0,
    overlap: OVERLAPS[wire.overlapPolicy - 1] ?? 'skip',
    catchUpMs: msFrom(wire.catchUpWindow) ?? 0,
    catchUpMax: wire.catchUpLimit,
    pauseAfterFailures: wire.pauseAfterFailures,
    owner: wire.owner,
    creator: wire.creator,
    etag: wire.etag,
    isPaused: wire.paused,
    pauseReason: wire.pauseReason,
    isPredefined: wire.predefined,
    nextRun: wire.nextRunTime,
    lastDueTime: wire.lastDueTime,
    lastJobId: wire.lastJobId,
    failuresInRow: wire.failuresInRow,
    createTime: wire.createTime,
    updateTime: wire.updateTime,
  }
}

/** Of another type than JSON they are the handler's to read. */
function paramsOf(params: NonNullable<Schedule['job']>['params']): unknown {
  const source = params?.source
  if (source?.$case !== 'inline' || params?.contentType !== '') return undefined
  return source.value.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(source.value))
}
