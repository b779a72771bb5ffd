/** What starting jobs needs of the truth about them. */
import type { ExistingJob, NewJob } from '../domain/held-job.ts'
import type { JobState } from '../domain/job-state.ts'
import type { LimitedQueue } from '../domain/method-limit.ts'
import type { StartCommand } from '../domain/start-command.ts'

export interface StartStore {
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
  /** Whether the parent of a start exists for who starts it, and `ancestorId` is among its own parents, however far up. */
  isBelow(command: StartCommand, ancestorId: string): Promise<boolean>
  /** How many jobs are queued in each, counted up to its limit. */
  countQueued(queues: readonly LimitedQueue[]): Promise<number[]>
}
