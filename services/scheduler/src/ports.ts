/** What the scheduler needs from outside, and the shapes that pass there. */

import type { Act, ActBy } from './domain/act.ts'
import type { AttachedExecutor, Attachment } from './domain/attached-executor.ts'
import type {
  AttemptEnd,
  AttemptKey,
  AttemptSuccess,
  CanceledJob,
  CancelRequest,
  ChangedJob,
  ExistingJob,
  LimitedClaim,
  LimitedClaimRequest,
  MessageRecord,
  NewJob,
  OpenCancel,
  ProgressRecord,
  QueueRef,
  RetriedJob,
  RetryRequest,
  TakenJobs,
} from './domain/held-job.ts'
import type { AttachmentId, JobId, SessionKey } from './domain/ids.ts'
import type {
  Completion,
  Job,
  JobAttempt,
  JobMessage,
  JobStanding,
  Progress,
} from './domain/job.ts'
import type {
  JobCircumstances,
  JobCount,
  JobDimension,
  JobFilter,
  JobPage,
  JobScope,
} from './domain/job-query.ts'
import type { JobState } from './domain/job-state.ts'
import type { FoundMethod, KnownMethod } from './domain/known-method.ts'
import type { Load } from './domain/load.ts'
import type { MethodDefinition } from './domain/method-definition.ts'
import type { LimitedQueue, LimitsOfMethod, MethodLimit } from './domain/method-limit.ts'
import type { Retention } from './domain/retention.ts'
import type { RetentionCut } from './domain/retention-cut.ts'
import type { Payload, StartCommand } from './domain/start-command.ts'

/**
 * The truth about jobs. Every write is one statement for many jobs, conditional on the state it
 * leaves; what it returns is what really changed.
 */
export interface JobStore {
  /**
   * Ids that were created, with the state they got; what is missing ran into an existing job, or its parent does not
   * exist. A child of a job whose cancel goes for it too is created as canceled. What was to run here at once is queued where
   * the gates have changed since `gateEpoch`; undefined for starts that no gate was asked about.
   */
  insert(jobs: readonly NewJob[], gateEpoch?: number): Promise<Map<string, JobState>>
  /** Creates a job that waits for the holder of its key; the state it got, or undefined as for `insert`. */
  insertBehindKey(job: NewJob): Promise<JobState | undefined>
  /** By its id or request id a job of the same owner; by the key anybody's. */
  findExisting(job: NewJob): Promise<ExistingJob | undefined>
  /** Whether there is a job of this id, whosoever and wherever. */
  isIdTaken(id: string): Promise<boolean>
  /** Whether the parent of a start exists for who starts it. */
  hasParent(command: StartCommand): Promise<boolean>
  /** Whether `ancestorId` is among the parents of the job, however far up. */
  isBelow(namespace: string, id: string, ancestorId: string): Promise<boolean>
  /** Takes queued jobs, best first, one for each entry of `attachmentIds`: of queues with a schema those that fit it. */
  claim(
    namespace: string,
    queues: readonly QueueRef[],
    attachmentIds: readonly AttachmentId[],
  ): Promise<TakenJobs>
  /** The same of a method that has limits, as far as they go. */
  claimLimited(request: LimitedClaimRequest): Promise<LimitedClaim>
  /** How many jobs are queued in each, counted up to its limit. */
  countQueued(queues: readonly LimitedQueue[]): Promise<number[]>
  succeed(successes: readonly AttemptSuccess[]): Promise<Map<string, Completion>>
  end(ends: readonly AttemptEnd[]): Promise<ChangedJob[]>
  /** Puts attempts back into the queue at no charge. */
  requeue(attempts: readonly AttemptKey[]): Promise<ChangedJob[]>
  setWaiting(attempts: readonly AttemptKey[], waiting: boolean): Promise<void>
  readStandings(ids: readonly string[]): Promise<JobStanding[]>
  /** @param owner whose it has to be: of what is somebody else's nothing is read, which would take a time that can be measured */
  readJob(namespace: string, id: JobId, owner?: string): Promise<Job | undefined>
  /** Newest first; undefined when the filter matches so little that it took too long. */
  listJobs(scope: JobScope, filter: JobFilter, page: JobPage): Promise<Job[] | undefined>
  /** At most `limit` counts, none of them 0; undefined when it took too long. */
  countJobs(
    scope: JobScope,
    filter: JobFilter,
    by: readonly JobDimension[],
    limit: number,
  ): Promise<JobCount[] | undefined>
  /** Of each job the newest hundred, oldest first. */
  readAttempts(ids: readonly string[]): Promise<Map<string, JobAttempt[]>>
  /**
   * All that may hold a job back; undefined where there is no such job. Of the jobs among it those of `owner` are named;
   * undefined: all.
   */
  readCircumstances(
    namespace: string,
    id: JobId,
    owner: string | undefined,
  ): Promise<JobCircumstances | undefined>
  /** What runs or waits and is not canceled, by id. */
  listHeld(
    namespace: string,
    which: HeldJobs,
    page: { readonly size: number; readonly after: string | undefined },
  ): Promise<JobId[]>
  cancel(request: CancelRequest): Promise<CanceledJob[]>
  /** Starts one anew that has failed or was canceled. */
  retry(request: RetryRequest): Promise<RetriedJob>
  recordProgress(records: readonly ProgressRecord[]): Promise<void>
  recordMessages(records: readonly MessageRecord[]): Promise<void>
  readProgress(ids: readonly string[]): Promise<Map<string, Progress>>
  /** What the attempts of each job said last for the next one; of those that said something. */
  readHeartbeats(ids: readonly string[]): Promise<Map<string, Payload>>
  /** The highest message sequence of each job that has messages. */
  readMessageHeads(ids: readonly string[]): Promise<Map<string, number>>
  readMessages(id: JobId, afterSequence: number, limit: number): Promise<JobMessage[]>
}

/** What the sweeps behind the hints do; each works off a bounded part and says what it changed. */
export interface SweepStore {
  promoteDue(limit: number): Promise<ChangedJob[]>
  promoteBehindKey(limit: number): Promise<ChangedJob[]>
  expireQueued(limit: number): Promise<ChangedJob[]>
  /** Ends what nobody runs and is past its total deadline. */
  expireTotal(limit: number): Promise<ChangedJob[]>
  /** Ends canceled jobs whose executor has not ended them in time. */
  forceCanceled(limit: number): Promise<ChangedJob[]>
  /** Cancels asked for and still open on these attachments; `leaseMs` as in their requests. */
  openCancels(attachmentIds: readonly AttachmentId[], leaseMs: number): Promise<OpenCancel[]>
  /** Forgets the buckets of rates that are full again: one that is not there is full. */
  forgetFullBuckets(): Promise<void>
  /** What these attachments hold, running or waiting. */
  heldBy(attachmentIds: readonly AttachmentId[]): Promise<AttemptKey[]>
}

export interface AttachmentStore {
  /**
   * Records a new attachment and moves over what its session still runs: `adopted` goes on under the new
   * attachment, everything else the session held is put back into the queue at no charge. What the session was
   * charged with when it was believed lost is taken back.
   */
  attach(
    attachment: Attachment,
    running: readonly { jobId: string; attempt: number }[],
  ): Promise<{ adopted: TakenJobs; requeued: ChangedJob[] }>
  /**
   * Renews leases. What is missing in the answer is over for good; false stands for one that goes on but whose row somebody
   * else has locked: it was left as it is.
   */
  renew(ids: readonly AttachmentId[]): Promise<Map<AttachmentId, boolean>>
  /** It takes no new work any more; recorded as an act of who asked for it. */
  markDraining(id: AttachmentId, by: ActBy | undefined): Promise<void>
  /** Its executor has gone in order: what it may still hold goes back into the queue, and nobody is charged. */
  end(id: AttachmentId): Promise<void>
  /** Those of all replicas, in the order of their keys, from the one after the key `after` on. */
  list(
    namespace: string,
    page: { readonly size: number; readonly after: SessionKey | undefined },
  ): Promise<AttachedExecutor[]>
}

/** The count of rounds leases are measured by, and what follows when one has run out (ADR 0009). */
export interface LeaseStore {
  /** The present round, and for how long it has lasted by the database's clock. */
  readRound(): Promise<{ round: number; ageMs: number }>
  /**
   * Begins the round after `round`; undefined when it is not the present one any more. An attachment that was not renewed
   * for `leaseRounds` rounds comes into doubt; one that is in doubt already is over, and listed.
   */
  beginRound(
    round: number,
    leaseRounds: number,
  ): Promise<{ round: number; lost: AttachmentId[] } | undefined>
  /** Takes jobs from attachments that are over. */
  releaseLost(limit: number, crashLimit: number): Promise<ChangedJob[]>
  /** Removes attachments that have been over for so many rounds and hold nothing. */
  forgetEnded(rounds: number): Promise<void>
}

/** What runs or waits: of the method or the pool, where there is one, else of the whole namespace. */
export interface HeldJobs {
  readonly method?: string
  readonly pool?: string
}

/** The gates that are closed, all of one moment. */
export interface ClosedGates {
  /** Grows with each change. */
  readonly epoch: number
  readonly namespaces: readonly string[]
  readonly pools: readonly { readonly namespace: string; readonly pool: string }[]
  readonly methods: readonly { readonly namespace: string; readonly method: string }[]
  /** Of all methods that have some. */
  readonly limits: readonly LimitsOfMethod[]
}

/**
 * What holds back the jobs of a method, a pool or a namespace. A change resolves when every start and claim that went by the gates as they
 * were has been committed, on whichever replica; true: something was changed.
 */
export interface GateStore {
  read(): Promise<ClosedGates>
  pauseNamespace(namespace: string, by: ActBy): Promise<boolean>
  resumeNamespace(namespace: string, by: ActBy): Promise<boolean>
  pausePool(namespace: string, pool: string, by: ActBy): Promise<boolean>
  resumePool(namespace: string, pool: string, by: ActBy): Promise<boolean>
  pauseMethod(namespace: string, method: string, by: ActBy): Promise<boolean>
  resumeMethod(namespace: string, method: string, by: ActBy): Promise<boolean>
}

/** What is set for a namespace as a whole. */
export interface NamespaceSettings {
  /** Grows with each change. */
  readonly revision: number
  readonly paused: boolean
  /** As they are spelled, by name. */
  readonly pausedPools: readonly string[]
  /** What was set, which may say less than is in force. */
  readonly retention: readonly Retention[]
  readonly limits: readonly MethodLimit[]
}

/** What is to change; undefined is left as it is. */
export interface NamespaceChange {
  /** What the revision must be. */
  readonly etag: string | undefined
  readonly retention: readonly Retention[] | undefined
  readonly limits: readonly MethodLimit[] | undefined
}

/** Finished jobs of one kind that ended alike. */
export interface FinishedGroup {
  readonly namespace: string
  readonly kind: Retention['kind']
  readonly state: Retention['state']
}

/** What retention would remove of one kind and end. */
export interface ExpiredJobs extends Omit<FinishedGroup, 'namespace'> {
  /** Of all that are there; pinned ones are not counted. */
  readonly keptCount: number
  readonly expiredCount: number
  /** When the oldest ended. */
  readonly oldest: Date
}

/** Some pages of the table of jobs, the first and the one after the last. */
export interface TablePart {
  readonly fromPage: number
  readonly toPage: number
}

/** What a part of the table has of a group, and the rule in force for it. Times are in microseconds since 1970. */
export interface FoundPart extends FinishedGroup {
  readonly count: number
  /** When the oldest and the newest ended. */
  readonly oldest: number
  readonly newest: number
  /** Undefined: any number. */
  readonly countMax: number | undefined
  /** What ended before is kept no longer. */
  readonly expiredBefore: number
}

/** Finished jobs as retention looks at them; pinned ones it does not see. */
export interface RetentionStore {
  /** Whether this one is to sweep: it has before, or nobody has for so long. To be said again and again by who sweeps. */
  beginSweep(sweeper: string, lapsedMs: number): Promise<boolean>
  /** How many the table of jobs has. */
  pages(): Promise<number>
  count(part: TablePart): Promise<FoundPart[]>
  /** How many jobs of the group are in each interval of the cut, by when that begins; none where it is empty. */
  countIntervals(
    part: TablePart,
    group: FinishedGroup,
    cut: RetentionCut,
  ): Promise<Map<number, number>>
  /** Removes at most `limit` that ended before, but what somebody else is at; how many. */
  remove(part: TablePart, group: FinishedGroup, before: number, limit: number): Promise<number>
  /** Of each rule that has finished jobs; undefined when it took too long. */
  preview(
    namespace: string,
    rules: readonly Retention[],
    limitMs?: number,
  ): Promise<ExpiredJobs[] | undefined>
}

/** One job to be removed or pinned, where it is of `owner`; undefined: of anybody. */
export interface HistoryChange {
  readonly namespace: string
  readonly jobId: JobId
  readonly owner: string | undefined
  readonly by: ActBy
}

/** What callers do to single jobs of the history. */
export interface HistoryStore {
  remove(asked: HistoryChange): Promise<'removed' | 'unfinished' | 'absent'>
  /** False where there is no such job. */
  pin(asked: HistoryChange, pinned: boolean): Promise<boolean>
}

/** A value that a removed job has left in temp storage. */
export interface DiscardedValue {
  readonly id: number
  readonly namespace: string
  readonly owner: string
  readonly address: string
}

export interface JobValueStore {
  /** Those of the addresses that a job names. */
  needed(addresses: readonly string[]): Promise<string[]>
  /** The first of those that are not gone yet, when `done` are taken for gone. */
  discarded(
    namespaces: 'all' | readonly string[],
    done: readonly number[],
    limit: number,
  ): Promise<DiscardedValue[]>
}

export interface NamespaceStore {
  read(namespace: string): Promise<NamespaceSettings>
  /** What is set then; undefined where the revision is another than the etag says. */
  update(
    namespace: string,
    change: NamespaceChange,
    by: ActBy,
  ): Promise<NamespaceSettings | undefined>
}

export interface MethodStore {
  /** Answers with the earlier schemas of parameters, by method, where there are any. */
  announce(
    namespace: string,
    definitions: readonly MethodDefinition[],
  ): Promise<ReadonlyMap<string, readonly string[]>>
  /** Earlier schemas that no executor attached can go by any more. */
  forgetEarlier(): Promise<void>
  /** The terms of each, or undefined where it was never announced. */
  find(
    methods: readonly { readonly namespace: string; readonly name: string }[],
  ): Promise<(FoundMethod | undefined)[]>
  /** By name, those after `after`. */
  list(
    namespace: string,
    page: { readonly size: number; readonly after: string },
  ): Promise<KnownMethod[]>
  /** The first of the names of a namespace, in order. */
  names(namespace: string): Promise<string[]>
}

export interface AttemptRef {
  readonly jobId: string
  readonly attempt: number
}

/** What a token for an attempt is made of. */
export interface JobOfAttempt {
  readonly owner: string
  readonly namespace: string
  /** It was started as privileged, and its method says so still. */
  readonly privileged: boolean
}

export interface HeldAttemptStore {
  /** Of each whether it is the newest of its job, and runs or waits on an executor that is not lost. */
  goOn(attempts: readonly AttemptRef[]): Promise<boolean[]>
  /** The job of an attempt that goes on and that this session holds; else undefined. */
  findHeld(attempt: AttemptRef, sessionKey: SessionKey): Promise<JobOfAttempt | undefined>
}

export interface StoredSigningKey {
  readonly id: string
  /** PKCS #8 in PEM. */
  readonly privateKey: string
  readonly ageMs: number
}

/** Keys that sign the tokens of attempts. */
export interface SigningKeyStore {
  /** Newest first. */
  read(): Promise<StoredSigningKey[]>
  /**
   * Adds a key unless there is one younger than `olderThanMs`, whoever made it. Keys whose successor has been there for `keepMs`
   * are removed.
   */
  replace(
    key: Omit<StoredSigningKey, 'ageMs'>,
    terms: { readonly olderThanMs: number; readonly keepMs: number },
  ): Promise<void>
}

/** Which acts are listed; what is empty or undefined selects nothing. */
export interface ActFilter {
  readonly user: string
  readonly from: Date | undefined
  readonly before: Date | undefined
}

export interface RecordedAct extends Act {
  /** Grows from each to the next. */
  readonly id: number
  readonly time: Date
}

export interface ActStore {
  /** For what changes nothing; what does is recorded with the change. */
  record(act: Act): Promise<void>
  /** Newest first, those below `before`. */
  list(
    namespace: string,
    filter: ActFilter,
    page: { readonly size: number; readonly before: number | undefined },
  ): Promise<RecordedAct[]>
  /** Removes at most `limit` that are older; how many it removed. */
  forget(olderMs: number, limit: number): Promise<number>
}

export interface LoadStore {
  /** Undefined when it took too long. */
  read(): Promise<Load | undefined>
}

/** All that is stored, each part over the connections meant for it. */
export interface SchedulerStores {
  /** Jobs as callers ask for them. */
  readonly calls: JobStore
  /** Jobs as results, reports and claims change them. */
  readonly work: JobStore
  readonly sweeps: SweepStore
  /** Gates as callers change them. */
  readonly gates: GateStore
  /** Gates as they are read for dispatch. */
  readonly workGates: GateStore
  readonly namespaces: NamespaceStore
  readonly retention: RetentionStore
  readonly history: HistoryStore
  readonly jobValues: JobValueStore
  readonly attachments: AttachmentStore
  readonly leases: LeaseStore
  readonly methods: MethodStore
  /** Methods as callers list them. */
  readonly callMethods: MethodStore
  /** Executors as callers list them. */
  readonly callAttachments: Pick<AttachmentStore, 'list'>
  readonly heldAttempts: HeldAttemptStore
  readonly signingKeys: SigningKeyStore
  readonly acts: ActStore
  readonly load: LoadStore
}
