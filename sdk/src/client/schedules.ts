/** Schedules (rows K1 to K3): what creates a job at each due time. */
import type { Schedule as WireSchedule } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { date, someText } from '../arguments/rules.ts'
import type { JobMethod } from '../jobs/method.ts'
import { checkTarget } from './check-arguments.ts'
import { JobHandle } from './job-handle.ts'
import { dropRefused, isMoved, labelsFor, paramsFrom, specFrom } from './job-spec.ts'
import { nameUpTo, textUpTo, wholeWithin } from './limit-rules.ts'
import { scheduleInfoFrom, wireChangeFrom } from './schedule-mapping.ts'
import {
  CHANGE_RULES,
  NEW_RULES,
  type NewSchedule,
  type ScheduleChange,
  type ScheduledJob,
  type ScheduleInfo,
  startTermsOf,
} from './schedule-options.ts'
import type { Session } from './session.ts'

export interface BackfillSpan {
  /** The first due time that may be among them. */
  readonly from: Date
  /** None at or after it; not in the future. */
  readonly before: Date
}

const SPAN_RULES: Rules<BackfillSpan> = { from: date, before: date }

/** How triggers are told apart. */
export interface TriggerOptions {
  /** The same id never triggers twice. Default: a new one for each call. */
  readonly requestId?: string
}

const id = nameUpTo(LIMITS.scheduleIdCharactersMax)
const count = wholeWithin(1, LIMITS.pageSizeMax)

/** Part of a client: `offstage.schedules`. */
export class ScheduleCalls {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  /**
   * Creates a schedule. Repeated by itself while the scheduler is away, under one request id.
   * @throws OffstageError SCHEDULE_ID_TAKEN; INVALID_FIELD for times that are never due; what a start of its job is refused with.
   */
  async create<P, R, I>(schedule: NewSchedule<P, R, I>): Promise<ScheduleInfo> {
    const {
      id: scheduleId,
      runAs = '',
      requestId,
      ...given
    } = checkOptions(
      'schedules.create',
      schedule as NewSchedule<unknown, unknown, unknown>,
      NEW_RULES,
    )
    this.#checkId(scheduleId)
    const job = await this.#specOf(given)
    const { schedules } = this.#session.connection
    const wire = { ...wireChangeFrom(given).schedule, scheduleId, runAs, job }
    const request = {
      namespace: this.#namespace,
      schedule: wire,
      requestId: requestId ?? this.#session.nextRequestId(),
    }
    const call = this.#session.callScheduler(schedules.createSchedule.bind(schedules), request)
    const answer = await call.catch(async (error) => {
      await dropRefused(this.#session, job.params, error)
      throw error
    })
    return scheduleInfoFrom(answer.schedule)
  }

  /**
   * Changes what is given and nothing else: of the job, its method, parameters and options together. Not repeated by itself.
   * @throws OffstageError ETAG_MISMATCH where it was changed since; SCHEDULE_NOT_FOUND.
   */
  async update<P, R, I>(
    scheduleId: string,
    change: ScheduleChange<P, R, I>,
  ): Promise<ScheduleInfo> {
    this.#checkId(scheduleId)
    const { etag = '', ...given } = checkOptions(
      'schedules.update',
      change as ScheduleChange<unknown, unknown, unknown>,
      CHANGE_RULES,
    )
    const { schedule, updateMask } = wireChangeFrom(given)
    const { job: target } = given
    const job = target === undefined ? undefined : await this.#specOf({ ...given, job: target })
    const mask = job === undefined ? updateMask : [...updateMask, 'job']
    if (mask.length === 0) return this.get(scheduleId)
    const { schedules } = this.#session.connection
    const wire = { ...schedule, scheduleId, etag, job }
    const request = { namespace: this.#namespace, schedule: wire, updateMask: mask }
    const call = schedules.updateSchedule.bind(schedules)
    const answer = await this.#session.callScheduler(call, request, { attempts: 1 })
    return scheduleInfoFrom(answer.schedule)
  }

  /** @throws OffstageError SCHEDULE_NOT_FOUND, as all that names one. */
  async get(scheduleId: string): Promise<ScheduleInfo> {
    const { schedules } = this.#session.connection
    const call = schedules.getSchedule.bind(schedules)
    const { schedule } = await this.#session.callScheduler(call, this.#named(scheduleId))
    return scheduleInfoFrom(schedule)
  }

  /** By id, page after page as they are iterated; of operators and readers those of others, too. */
  async *list(): AsyncGenerator<ScheduleInfo, void, undefined> {
    const { schedules } = this.#session.connection
    const call = schedules.listSchedules.bind(schedules)
    for (let pageToken = ''; ; ) {
      const request = { namespace: this.#namespace, pageSize: 0, pageToken }
      const page = await this.#session.callScheduler(call, request)
      yield* page.schedules.map((schedule: WireSchedule) => scheduleInfoFrom(schedule))
      pageToken = page.nextPageToken
      if (pageToken === '') return
    }
  }

  /** Removes it; its jobs live on. */
  async delete(scheduleId: string): Promise<void> {
    const { schedules } = this.#session.connection
    const call = schedules.deleteSchedule.bind(schedules)
    await this.#session.callScheduler(call, this.#named(scheduleId), { attempts: 1 })
  }

  /** Due times create nothing until it is resumed, and are not made up for. Idempotent. */
  async pause(scheduleId: string, reason = ''): Promise<ScheduleInfo> {
    textUpTo(LIMITS.cancelReasonCharactersMax)(reason, 'the reason')
    const { schedules } = this.#session.connection
    const call = schedules.pauseSchedule.bind(schedules)
    const request = { ...this.#named(scheduleId), reason }
    return scheduleInfoFrom((await this.#session.callScheduler(call, request)).schedule)
  }

  /** Idempotent. */
  async resume(scheduleId: string): Promise<ScheduleInfo> {
    const { schedules } = this.#session.connection
    const call = schedules.resumeSchedule.bind(schedules)
    return scheduleInfoFrom(
      (await this.#session.callScheduler(call, this.#named(scheduleId))).schedule,
    )
  }

  /** Starts a job of it now, whatever its times and its jobs that are unfinished. */
  async trigger(scheduleId: string, options: TriggerOptions = {}): Promise<JobHandle<unknown>> {
    const { requestId = this.#session.nextRequestId() } = checkOptions(
      'schedules.trigger',
      options,
      {
        requestId: nameUpTo(LIMITS.requestIdCharactersMax),
      },
    )
    const { schedules } = this.#session.connection
    const call = schedules.triggerSchedule.bind(schedules)
    const request = { ...this.#named(scheduleId), requestId }
    const { jobId } = await this.#session.callScheduler(call, request)
    return new JobHandle(this.#session, jobId, '', 0, undefined, undefined)
  }

  /** Creates the jobs of past due times, each due time once: those that have one already get no second. Answers with the ids of new ones. */
  async backfill(scheduleId: string, span: BackfillSpan): Promise<readonly string[]> {
    const { from, before } = checkOptions('schedules.backfill', span, SPAN_RULES)
    const { schedules } = this.#session.connection
    const call = schedules.backfillSchedule.bind(schedules)
    const request = { ...this.#named(scheduleId), beginTime: from, endTime: before }
    return (await this.#session.callScheduler(call, request)).jobIds
  }

  /** The due times that come next, without their jitter. */
  async nextRuns(scheduleId: string, countMax = 10): Promise<readonly Date[]> {
    count(countMax, 'the count')
    const { schedules } = this.#session.connection
    const call = schedules.listNextRuns.bind(schedules)
    const request = { ...this.#named(scheduleId), pageSize: countMax, pageToken: '' }
    return (await this.#session.callScheduler(call, request)).runTimes
  }

  get #namespace(): string {
    return this.#session.identity.namespace
  }

  #named(scheduleId: string) {
    this.#checkId(scheduleId)
    return { namespace: this.#namespace, scheduleId }
  }

  #checkId(scheduleId: string): void {
    someText(scheduleId, 'the id')
    id(scheduleId, 'the id')
  }

  /** What a start would send, without what belongs to one start. */
  async #specOf(given: ScheduledJob<unknown, unknown, unknown>) {
    const { job: target, params } = given
    checkTarget(target as JobMethod | string)
    const options = startTermsOf(given)
    const payload = await paramsFrom(this.#session, target as JobMethod | string, params, options)
    const spec = specFrom(this.#session, target as JobMethod | string, options, payload, '')
    const labels = labelsFor(target as JobMethod | string, params, given.labels)
    const ofOneStart = { parentJobId: '', scope: '', leaseId: '', paramsOwned: isMoved(payload) }
    return { ...spec, ...ofOneStart, labels, wantAdditionalResult: false }
  }
}
