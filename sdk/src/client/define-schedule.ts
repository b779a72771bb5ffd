/** Schedules declared in code (row K1), beside the jobs they start. */
import { DeclaredSchedule } from '@offstage/proto/executor'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { flag, rule } from '../arguments/rules.ts'
import { checkValue } from '../jobs/check-value.ts'
import type { JobMethod } from '../jobs/method.ts'
import { INLINE_BYTES_MAX } from '../jobs/payload.ts'
import { checkTarget } from './check-arguments.ts'
import { paramsInvalid } from './job-errors.ts'
import { codecOf, encodeParams, labelsFor, specFrom } from './job-spec.ts'
import { textUpTo, wholeWithin } from './limit-rules.ts'
import { wireChangeFrom } from './schedule-mapping.ts'
import {
  NEW_RULES,
  type ScheduledJob,
  type ScheduleTimes,
  startTermsOf,
} from './schedule-options.ts'

/** A schedule as `defineSchedule` takes it. */
export interface DeclaredTerms<P, R, I> extends ScheduleTimes, ScheduledJob<P, R, I> {
  /** Unique in the namespace, at most 200 characters. */
  readonly id: string
  /** Which of two declarations is the newer one: raise it with every change, only a higher one is applied. From 1. Default 1. */
  readonly version?: number
  /** The job, or its method; the executor that declares the schedule runs it. */
  readonly job: JobMethod<P, R, I>
  /** The user its jobs run for, where it is another one than who the executor is: for administrators and services. */
  readonly runAs?: string
  /** Whether it creates no jobs until somebody resumes it. Default false. */
  readonly paused?: boolean
}

/** One that the code has no longer: it is removed, and no lower version brings it back. */
export interface RemovedSchedule {
  readonly id: string
  /** Above the last one. */
  readonly version: number
  readonly removed: true
}

/** What {@link defineSchedule} makes, for executors. */
export interface ScheduleDefinition extends Omit<DeclaredTerms<unknown, unknown, unknown>, 'job'> {
  /** Tells definitions from other exports of a module. */
  readonly kind: 'offstage.schedule'
  readonly version: number
  /** Undefined where it is removed. */
  readonly job?: JobMethod<unknown, unknown, unknown>
  readonly removed?: true
}

const VERSION_MAX = 2 ** 31 - 1
const { requestId: _, ...NEW } = NEW_RULES
const RULES: Rules<DeclaredTerms<unknown, unknown, unknown> & Partial<RemovedSchedule>> = {
  ...NEW,
  version: wholeWithin(1, VERSION_MAX),
  paused: flag,
  removed: rule('true, or left out', (value) => value === true),
}

/**
 * Declares a schedule beside its job. Executors that load the module create it when they attach, and change it by its `version`: of a higher
 * one, what it says differently from the one before; what operators have changed, such as a pause, stays until then.
 *
 * ```ts
 * export const nightly = defineSchedule({
 *   id: 'nightly-delays',
 *   version: 2,
 *   job: delays,
 *   params: { dataSet: 'flights-3m' },
 *   cron: '30 2 * * *',
 *   timeZone: 'Europe/Berlin',
 * })
 * ```
 *
 * Who attaches needs the right to create schedules; see docs/guides/schedules.md.
 *
 * @throws TypeError or RangeError naming the field, where the definition is malformed.
 */
export function defineSchedule<P, R, I>(schedule: DeclaredTerms<P, R, I>): ScheduleDefinition
export function defineSchedule(schedule: RemovedSchedule): ScheduleDefinition
export function defineSchedule(
  schedule: DeclaredTerms<unknown, unknown, unknown> | RemovedSchedule,
): ScheduleDefinition {
  const { version = 1, ...given } = checkOptions(
    'defineSchedule',
    schedule as DeclaredTerms<unknown, unknown, unknown> & Partial<RemovedSchedule>,
    RULES,
  )
  const { id, removed, job, cron, intervalMs } = given
  const refuse = (problem: string): never => {
    throw new TypeError(`schedule ${id}: ${problem}`)
  }
  if (id === undefined) throw new TypeError('defineSchedule needs an id')
  textUpTo(LIMITS.scheduleIdCharactersMax)(id, 'id')
  if (removed) {
    const [also] = Object.keys(given).filter((name) => name !== 'id' && name !== 'removed')
    if (also !== undefined) refuse(`one that is removed has no ${also}`)
    return Object.freeze({ id, version, removed, kind: 'offstage.schedule' })
  }
  if (typeof job !== 'object') refuse('job must be made by defineJob or defineMethod')
  checkTarget(job)
  if (cron === undefined && intervalMs === undefined) refuse('give cron or intervalMs')
  wireChangeFrom(given)
  return Object.freeze({ ...given, version, kind: 'offstage.schedule' })
}

/** Holds across copies of this package, since it asks for the shape. */
export function isScheduleDefinition(value: unknown): value is ScheduleDefinition {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'offstage.schedule' &&
    'id' in value &&
    typeof value.id === 'string'
  )
}

/**
 * As an executor announces it: a message DeclaredSchedule, encoded, so that its threads pass on bytes.
 * @throws OffstageError PARAMS_INVALID, CODEC_FAILED
 */
export async function declarationOf(definition: ScheduleDefinition): Promise<Uint8Array> {
  const { id, version, removed = false, paused = false, runAs = '', job, ...terms } = definition
  const { schedule: times } = wireChangeFrom(terms)
  const named = { ...times, scheduleId: id, runAs }
  const schedule = job === undefined ? named : { ...named, job: await specOf(job, terms) }
  return DeclaredSchedule.encode({ schedule, version, paused, removed }).finish()
}

const OF_NO_START = { identity: { parentJobId: '', scope: '' } }

async function specOf(job: JobMethod, terms: Omit<ScheduledJob<unknown, unknown, unknown>, 'job'>) {
  const payload = await payloadOf(job, terms.params)
  const spec = specFrom(OF_NO_START, job, startTermsOf(terms), payload, '')
  return { ...spec, labels: { ...labelsFor(job, terms.params, terms.labels) } }
}

async function payloadOf(job: JobMethod, params: unknown) {
  const checked = job.params && (await checkValue(job.params, params, 'params'))
  if (checked?.kind === 'invalid') throw paramsInvalid(job.method, checked.violations)
  const encoded = await encodeParams(codecOf(job), job, params)
  if (encoded === undefined) return undefined
  const { bytes, contentType } = encoded
  if (bytes.byteLength > INLINE_BYTES_MAX) {
    const description = `has ${bytes.byteLength} bytes, and schedules keep ${INLINE_BYTES_MAX} at most`
    throw paramsInvalid(job.method, [{ field: 'params', description }])
  }
  return { source: { $case: 'inline' as const, value: bytes }, contentType }
}
