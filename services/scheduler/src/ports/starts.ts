/** What starting jobs needs of the truth about them. */
import type { ExclusiveHolder } from '../domain/exclusive-mode.ts'
import type { ExistingJob, NewJob } from '../domain/held-job.ts'
import type { SessionKey } from '../domain/ids.ts'
import type { JobState } from '../domain/job-state.ts'
import type { LimitedQueue } from '../domain/method-limit.ts'
import type { StartCommand } from '../domain/start-command.ts'

export interface StartStore {
  /**
   * Ids that were created, with the state they got; what is missing ran into an existing job, its parent does not
   * exist or, for an attached one, has ended, or somebody has the namespace exclusively. A child of a job whose cancel goes for it too is created as canceled. What was to run here at once is queued where
   * the gates have changed since `gateEpoch`; undefined for starts that no gate was asked about.
   */
  insert(jobs: readonly NewJob[], gateEpoch?: number): Promise<Map<string, JobState>>
  /** Creates jobs that wait for the holders of their keys; answers as `insert` does. */
  insertBehindKey(jobs: readonly NewJob[]): Promise<Map<string, JobState>>
  /** For each, by its id or request id a job of the same owner; by the key anybody's. */
  findExisting(
    starts: readonly Pick<NewJob, 'id' | 'command'>[],
  ): Promise<(ExistingJob | undefined)[]>
  /** Those of the ids that are ids of jobs, whosoever and wherever. */
  takenIds(ids: readonly string[]): Promise<ReadonlySet<string>>
  /** For each, the state of its parent; undefined where that does not exist for who starts it. */
  parentStates(starts: readonly StartCommand[]): Promise<(JobState | undefined)[]>
  /** Whether the lease that it names is its owner's, and lives. */
  hasLease(start: StartCommand): Promise<boolean>
  /** For each, who keeps it out of its namespace, having that exclusively; undefined where nobody does. */
  findRefused(starts: readonly StartCommand[]): Promise<(ExclusiveHolder | undefined)[]>
  /** Whether the parent of a start exists for who starts it, and `ancestorId` is among its own parents, however far up. */
  isBelow(command: StartCommand, ancestorId: string): Promise<boolean>
  /** Whether the session is attached, wherever, and runs the method. */
  sessionRuns(sessionKey: SessionKey, method: string, version: string): Promise<boolean>
  /** Whether an executor that takes work runs the method in the pool of the start, wherever it is attached. */
  isServed(start: Pick<StartCommand, 'namespace' | 'method' | 'pool'>): Promise<boolean>
  /** How many jobs wait to begin in each, whatever for: counted up to its limit at least. */
  countQueued(queues: readonly LimitedQueue[]): Promise<number[]>
}
