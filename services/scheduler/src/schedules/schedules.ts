/** What callers may ask of schedules (rows K1, K2). */
import { actingFor, mayForOthers, mayTouch, type Right } from '@offstage/kit/auth'
import type { Refusal } from '@offstage/kit/grpc'
import { dueTimesOf } from '../domain/due-times.ts'
import type { ChangedJob } from '../domain/held-job.ts'
import type { Schedule, ScheduleTerms } from '../domain/schedule.ts'
import { nextDueByOther, nextDueOf, timesWithin } from '../domain/schedule-run.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Caller } from '../jobs/caller.ts'
import type { CheckStart } from '../jobs/check-start.ts'
import type { RecordReads } from '../jobs/payload-reads.ts'
import type { StartJobs } from '../jobs/start-jobs.ts'
import type {
  NewSchedule,
  ScheduleChange,
  ScheduleRunStore,
  ScheduleStore,
} from '../ports/schedules.ts'
import type { StartStore } from '../ports/starts.ts'
import { invalidField, overloaded, requestIdReused } from '../refusals.ts'
import { backfill } from './backfill.ts'
import { checkJob, checkTiming } from './check-terms.ts'
import {
  scheduleChanged,
  scheduleIdTaken,
  scheduleNotFound,
  scheduleUnreadable,
} from './refusals.ts'
import { noRoomFor, type RoomOptions } from './room.ts'
import { triggerJob } from './trigger.ts'
import { GO_ON_MAX, inTurns } from './turns.ts'

export interface SchedulesOptions extends RoomOptions {
  readonly store: ScheduleStore
  readonly runs: Pick<ScheduleRunStore, 'createJobs'>
  readonly checkStart: CheckStart
  readonly startJobs: StartJobs
  readonly recordReads: RecordReads
  readonly jobs: Pick<StartStore, 'findExisting'>
  readonly events: Pick<JobEvents, 'schedulesChanged'>
  readonly newId: () => string
  changed(jobs: readonly ChangedJob[]): void
  /** Schedules were changed here. */
  wake(): void
}

export interface NewTerms {
  readonly namespace: string
  readonly id: string
  /** Empty: whoever calls. */
  readonly runAs: string
  readonly requestId: string
  readonly terms: ScheduleTerms
}

export interface TermsChange {
  /** Empty: whatever it is. */
  readonly etag: string
  /** What the terms are to be, by what they are. */
  applyTo(schedule: Schedule): ScheduleTerms
  readonly changesJob: boolean
  readonly changesTiming: boolean
}

type Named = readonly [caller: Caller, namespace: string, id: string]

export interface Schedules {
  create(caller: Caller, asked: NewTerms): Promise<Schedule>
  update(caller: Caller, namespace: string, id: string, asked: TermsChange): Promise<Schedule>
  get(...named: Named): Promise<Schedule>
  list(
    caller: Caller,
    namespace: string,
    page: { readonly size: number; readonly after: string },
  ): Promise<Schedule[]>
  remove(...named: Named): Promise<void>
  pause(caller: Caller, namespace: string, id: string, reason: string): Promise<Schedule>
  resume(...named: Named): Promise<Schedule>
  /** The id of the job. */
  trigger(caller: Caller, namespace: string, id: string, requestId: string): Promise<string>
  backfill(
    caller: Caller,
    namespace: string,
    id: string,
    span: { readonly begin: Date; readonly end: Date },
  ): Promise<{ readonly jobIds: readonly string[]; readonly existing: number }>
  /** @param after undefined: now */
  nextRuns(
    caller: Caller,
    namespace: string,
    id: string,
    page: { readonly size: number; readonly after: Date | undefined },
  ): Promise<Date[]>
}

export function createSchedules(options: SchedulesOptions): Schedules {
  const { store } = options
  const findAny = async (right: Right, ...[caller, namespace, id]: Named): Promise<Schedule> => {
    const owner = mayForOthers(caller, right) ? undefined : caller.user
    const schedule = await store.read(namespace, id, owner)
    if (schedule !== undefined && mayTouch(caller, right, schedule)) return schedule
    throw scheduleNotFound(id)
  }
  const find = async (right: Right, ...named: Named): Promise<Schedule> => {
    const schedule = await findAny(right, ...named)
    const { id, unreadable } = schedule
    if (unreadable !== undefined) throw scheduleUnreadable(id, unreadable)
    return schedule
  }
  const change = (
    right: Right,
    named: Named,
    of: (schedule: Schedule) => Promise<ScheduleChange>,
  ) => changeSchedule(options, named[0], () => find(right, ...named), of)
  return {
    create: (caller, asked) => createSchedule(options, caller, asked),
    update: (caller, namespace, id, asked) => {
      const right = asked.changesJob ? 'schedules.write' : 'schedules.operate'
      return change(right, [caller, namespace, id], async (schedule) => {
        if (asked.etag !== '' && asked.etag !== String(schedule.revision)) throw scheduleChanged(id)
        return changeOfTerms(options, caller, schedule, asked)
      })
    },
    async get(...named) {
      const schedule = await findAny('schedules.read', ...named)
      await options.recordReads(named[0], schedule.namespace, [schedule])
      return schedule
    },
    async list(caller, namespace, page) {
      const owner = mayForOthers(caller, 'schedules.read') ? undefined : caller.user
      const found = await store.list(namespace, owner, page)
      await options.recordReads(caller, namespace, found)
      return found
    },
    async remove(...named) {
      await store.remove(await findAny('schedules.write', ...named), named[0])
    },
    pause: (caller, namespace, id, reason) =>
      change('schedules.operate', [caller, namespace, id], async (schedule) =>
        schedule.pauseReason === undefined ? { pauseReason: reason, next: null } : {},
      ),
    resume: (...named) =>
      change('schedules.operate', named, async (schedule) => {
        if (schedule.pauseReason === undefined) return {}
        const next = await inTurns(nextDueOf(schedule, await store.now()))
        return { pauseReason: null, next: next ?? null }
      }),
    async trigger(caller, namespace, id, requestId) {
      const schedule = await find('schedules.operate', caller, namespace, id)
      return await triggerJob(options, caller, schedule, requestId)
    },
    async backfill(caller, namespace, id, span) {
      const schedule = await find('schedules.operate', caller, namespace, id)
      return await backfill(options, caller, schedule, span)
    },
    async nextRuns(caller, namespace, id, { size, after }) {
      const schedule = await find('schedules.read', caller, namespace, id)
      const begin = (after ?? (await store.now())).getTime() + 1
      const next = dueTimesOf(schedule.terms.timing)
      return (await inTurns(timesWithin(next, begin, Infinity, { max: size, goOnMax: GO_ON_MAX })))
        .times
    },
  }
}

async function createSchedule(
  options: SchedulesOptions,
  caller: Caller,
  { namespace, id, runAs, requestId, terms }: NewTerms,
): Promise<Schedule> {
  const { store } = options
  const actor = actingFor(caller, 'schedules.write', runAs || undefined)
  if (actor === undefined) {
    throw invalidField(
      'schedule.run_as',
      'may name another user for administrators and services alone',
    )
  }
  const now = await store.now()
  await checkTiming(terms, now)
  const { user: owner, roles } = actor
  const unique = {
    namespace,
    id,
    uid: options.newId(),
    owner,
    creator: caller.user,
    roles,
    requestId,
  }
  const schedule: NewSchedule = {
    ...unique,
    terms,
    predefined: false,
    next: await inTurns(nextDueOf({ id, terms }, now)),
  }
  await checkJob(options.checkStart, schedule, now)
  const noRoom = await noRoomFor(options, schedule)
  const created = noRoom === undefined ? await store.create(schedule) : undefined
  if (created === undefined) return await findCreated(store, schedule, noRoom)
  changedHere(options, namespace)
  return created
}

/** What the same request has created before. */
async function findCreated(
  store: ScheduleStore,
  asked: NewSchedule,
  noRoom: Refusal | undefined,
): Promise<Schedule> {
  const { namespace, owner, requestId, id } = asked
  const earlier =
    requestId === '' ? undefined : await store.findByRequest(namespace, owner, requestId)
  if (earlier?.id === id) return earlier
  if (earlier !== undefined) throw requestIdReused(requestId)
  throw noRoom ?? scheduleIdTaken(id)
}

async function changeOfTerms(
  { store, checkStart }: SchedulesOptions,
  caller: Caller,
  schedule: Schedule,
  asked: TermsChange,
): Promise<ScheduleChange> {
  const terms = asked.applyTo(schedule)
  const now = await store.now()
  // The rights of whoever says what is started count from now on; those of an operator never do.
  const actor = asked.changesJob ? actingFor(caller, 'schedules.write', schedule.owner) : undefined
  const roles = actor?.roles
  if (asked.changesTiming) await checkTiming(terms, now)
  if (asked.changesJob) await checkJob(checkStart, { ...schedule, terms, roles: roles ?? [] }, now)
  const moves = asked.changesTiming && schedule.pauseReason === undefined
  const next = moves ? await inTurns(nextDueByOther(schedule, terms, now)) : undefined
  return { terms, ...(roles && { roles }), ...(moves && { next: next ?? null }) }
}

/** Somebody else changes it in between: each time they have got on. */
const ROUNDS = 5

async function changeSchedule(
  options: SchedulesOptions,
  caller: Caller,
  find: () => Promise<Schedule>,
  changeOf: (schedule: Schedule) => Promise<ScheduleChange>,
): Promise<Schedule> {
  for (let round = 0; round < ROUNDS; round++) {
    const schedule = await find()
    const change = await changeOf(schedule)
    if (Object.keys(change).length === 0) {
      await options.recordReads(caller, schedule.namespace, [schedule])
      return schedule
    }
    const changed = await options.store.change(schedule, change, caller)
    if (changed === undefined) continue
    changedHere(options, schedule.namespace)
    return changed
  }
  throw overloaded('changes of this schedule')
}

export function changedHere(
  { events, wake }: Pick<SchedulesOptions, 'events' | 'wake'>,
  namespace: string,
): void {
  events.schedulesChanged(namespace)
  wake()
}
