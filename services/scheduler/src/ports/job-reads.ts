/** Jobs as they are read: for callers, and for those who wait. */
import type { JobId } from '../domain/ids.ts'
import type {
  AskedJob,
  Job,
  JobAttempt,
  JobMark,
  JobMessage,
  JobStanding,
  Progress,
  WatchedJob,
} from '../domain/job.ts'
import type {
  JobCircumstances,
  JobCount,
  JobDimension,
  JobFilter,
  JobPage,
  JobScope,
} from '../domain/job-query.ts'
import type { Payload } from '../domain/start-command.ts'

/** What runs or waits: of the method or the pool, where there is one, else of the whole namespace. */
export interface HeldJobs {
  readonly method?: string
  readonly pool?: string
}

/** A job with how it was, or is; undefined where that is not known, or it is gone. */
export interface MarkedJob {
  readonly id: string
  readonly mark: JobMark | undefined
}

export interface JobReads {
  /** Of those alone that exist for somebody who asks here. */
  readStandings(asked: readonly AskedJob[]): Promise<JobStanding[]>
  /** The same, with what they have reported. */
  readWatched(asked: readonly AskedJob[]): Promise<WatchedJob[]>
  /**
   * Those that are not as marked, and all that have ended; a job that is gone has no mark. Nothing large is read of any.
   */
  readNews(jobs: readonly MarkedJob[]): Promise<MarkedJob[]>
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
   * All that may hold a job back, as it is at one moment. Of the jobs among it those of `owner` are named; undefined: all.
   */
  readCircumstances(
    namespace: string,
    id: JobId,
    owner: string | undefined,
  ): Promise<JobCircumstances | 'absent' | 'too-slow'>
  /** What runs or waits and is not canceled, by id. */
  listHeld(
    namespace: string,
    which: HeldJobs,
    page: { readonly size: number; readonly after: string | undefined },
  ): Promise<JobId[]>
  readProgress(ids: readonly string[]): Promise<Map<string, Progress>>
  /** What the attempts of each job said last for the next one; of those that said something. */
  readHeartbeats(ids: readonly string[]): Promise<Map<string, Payload>>
  readMessages(id: JobId, afterSequence: number, limit: number): Promise<JobMessage[]>
}
