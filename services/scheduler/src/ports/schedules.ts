/** Schedules as they are stored, and what they do when they are due. */
import type { ActBy } from '../domain/act.ts'
import type { Declaration, Found } from '../domain/declared-schedule.ts'
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
  /** It is paused from the beginning. */
  readonly pauseReason?: string | undefined
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
  /**
   * Which of them has as many as it may have: the namespace, of those declared in code also those removed since, or the owner in it.
   */
  findFull(
    of: { readonly namespace: string; readonly owner: string },
    max: { readonly namespace: number; readonly owner: number },
  ): Promise<'namespace' | 'owner' | undefined>
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
  /** Notes a job of it that comes beside its due times: should it be there at the next of them, it counts. */
  expectJob(schedule: Schedule, jobId: string): Promise<void>
  /**
   * The same before it is started, undefined where its id is not known yet, with the act of whoever asks for it, where the schedule is
   * somebody else's: its number.
   */
  expectTrigger(
    schedule: Schedule,
    jobId: string | undefined,
    by: ActBy,
  ): Promise<number | undefined>
  /** Notes one that was started. */
  noteJob(schedule: Schedule, jobId: string): Promise<void>
  /** Of a start that was refused. */
  takeBackAct(act: number): Promise<void>
}

/** What was declared last under an id, as much as tells whether there is something to do. */
export interface DeclaredStanding {
  readonly version: number
  readonly owner: string
  /** The same is said now. */
  readonly isSame: boolean
  /** There is a schedule. */
  readonly isThere: boolean
}

/** At most one of them; none: that it was said is all. */
export interface DeclareStep {
  readonly create?: NewSchedule
  readonly change?: { readonly schedule: Schedule; readonly change: ScheduleChange }
  readonly remove?: Schedule | undefined
}

export interface WrittenDeclaration extends Omit<Declaration, 'runAs'> {
  readonly namespace: string
  readonly owner: string
  /** The version applied last, as it was read; undefined: there was none. */
  readonly expected: number | undefined
}

export interface FoundDeclared extends Found {
  /** Of what is there, or was. */
  readonly owner: string | undefined
  /** What of it cannot be read. */
  readonly unreadable: string | undefined
}

/** Schedules that are declared in code. */
export interface DeclaredScheduleStore {
  /** In the order of the declarations; undefined where nothing was declared before. */
  compare(
    namespace: string,
    declarations: readonly Declaration[],
  ): Promise<readonly (DeclaredStanding | undefined)[]>
  find(namespace: string, id: string): Promise<FoundDeclared>
  /** In one transaction; false, and nothing is done, where something is not as it was read. */
  declare(written: WrittenDeclaration, step: DeclareStep, by: ActBy): Promise<boolean>
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

export interface ReadDue {
  readonly now: Date
  /** How many are due of those asked for. */
  readonly count: number
  /** Those of them that can be read. */
  readonly due: readonly DueSchedule[]
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
  readDue(limit: number, skip: number): Promise<ReadDue>
  /** In one transaction; what another replica has in hand, or has done, is left to it. */
  carryOut(runs: readonly ScheduleRun[], leaseMs: number): Promise<RunOutcome>
  /** Until the next one is due, or the next after a time; undefined where there is none. */
  msUntilNext(after?: Date): Promise<number | undefined>
  /**
   * Jobs beside the due times that come: of those that are there already nothing is created. Recorded where it is somebody else's;
   * undefined where the schedule is gone.
   */
  createJobs(
    schedule: Schedule,
    jobs: readonly PlannedJob[],
    by: ActBy,
  ): Promise<ChangedJob[] | undefined>
}
