/** Schedules as they are stored, and what they do when they are due. */
import type { ActBy } from '../domain/act.ts'
import type { CanceledJob, ChangedJob, NewJob } from '../domain/held-job.ts'
import type { JobError } from '../domain/job.ts'
import type { JobState } from '../domain/job-state.ts'
import type { Schedule, ScheduleKey, ScheduleTerms } from '../domain/schedule.ts'
import type { NextDue } from '../domain/schedule-run.ts'

export interface NewSchedule
  extends Pick<
    Schedule,
    | 'namespace'
    | 'id'
    | 'uid'
    | 'owner'
    | 'creator'
    | 'roles'
    | 'requestId'
    | 'terms'
    | 'predefined'
  > {
  readonly next: NextDue | undefined
}

/** What is to change; what is undefined stays. */
export interface ScheduleChange {
  readonly terms?: ScheduleTerms
  /** Roles of its jobs from now on. */
  readonly roles?: readonly string[]
  /** Null: it goes on. */
  readonly pauseReason?: string | null
  /** Null: there is none. */
  readonly next?: NextDue | null
}

/** A schedule as an operator or its owner has to do with it. */
export interface ScheduleStore {
  /** By the clock of the database. */
  now(): Promise<Date>
  /** Undefined where its id, or its request id, is taken. */
  create(schedule: NewSchedule): Promise<Schedule | undefined>
  /** @param owner nothing is read of anybody else's; undefined: anybody's */
  read(namespace: string, id: string, owner: string | undefined): Promise<Schedule | undefined>
  findByRequest(namespace: string, owner: string, requestId: string): Promise<Schedule | undefined>
  /** By id; of one owner, or of all where that is undefined. */
  list(
    namespace: string,
    owner: string | undefined,
    page: { readonly size: number; readonly after: string },
  ): Promise<Schedule[]>
  /** Undefined where it is not as it was read. */
  change(schedule: Schedule, change: ScheduleChange, by: ActBy): Promise<Schedule | undefined>
  remove(schedule: Schedule, by: ActBy): Promise<void>
  /** Notes a job of it that was started beside its due times; recorded where it is somebody else's. */
  noteJob(schedule: Schedule, jobId: string, by: ActBy): Promise<void>
}

/** One that is due, with the jobs of it that were unfinished. */
export interface DueSchedule {
  readonly schedule: Schedule
  /** As they are now, oldest first; of those that are gone nothing is told. */
  readonly openJobs: readonly {
    readonly id: string
    readonly state: JobState
    readonly reason: string
  }[]
}

/** A job of a due time. */
export type PlannedJob =
  | {
      readonly job: NewJob
      /** For whoever holds its key. */
      readonly waits: boolean
    }
  /** It cannot be started, and is recorded as failed. */
  | { readonly job: NewJob; readonly error: JobError }

/** What a schedule does now. */
export interface ScheduleRun {
  readonly schedule: Schedule
  readonly jobs: readonly PlannedJob[]
  readonly cancels: readonly string[]
  readonly next: NextDue | undefined
  readonly lastDueTime: Date | undefined
  readonly openJobs: readonly string[]
  readonly failuresInRow: number
  /** It pauses itself. */
  readonly pauseReason: string | undefined
}

export interface RunOutcome {
  /** Schedules that were still as they were planned for. */
  readonly done: readonly ScheduleKey[]
  readonly created: readonly ChangedJob[]
  readonly canceled: readonly CanceledJob[]
}

export interface ScheduleRunStore {
  /** Those that are due, the latest first, with the clock of the database. */
  readDue(limit: number): Promise<{ readonly now: Date; readonly due: readonly DueSchedule[] }>
  /** In one transaction; what another replica has in hand, or has done, is left to it. */
  carryOut(runs: readonly ScheduleRun[], leaseMs: number): Promise<RunOutcome>
  /** Until the next one is due; undefined where there is none. */
  msUntilNext(): Promise<number | undefined>
  /** Jobs beside the due times that come: of those that are there already nothing is created. Recorded where the schedule is somebody else's. */
  createJobs(schedule: Schedule, jobs: readonly PlannedJob[], by: ActBy): Promise<ChangedJob[]>
}
