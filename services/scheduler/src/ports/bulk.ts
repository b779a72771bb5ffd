/** What bulk jobs are stored by: jobs that the schedulers carry out themselves. */
import type { BulkJob, BulkTarget, BulkVerb, NewBulkJob } from '../domain/bulk-job.ts'
import type { CanceledJob, ChangedJob } from '../domain/held-job.ts'
import type { JobFilter, JobScope } from '../domain/job-query.ts'

/** The jobs that a verb would be done to just now. */
export interface JobSelection {
  /** Counted up to a million. */
  readonly count: number
  /** There are more. */
  readonly more: boolean
  /** The newest of them. */
  readonly sampleIds: readonly string[]
}

/** What a part is to do. */
export interface PartRequest {
  /** Jobs to look at, newest first. */
  readonly ids: readonly string[]
  /** Methods whose jobs are not started anew, and the reason. */
  readonly barredMethods: ReadonlyMap<string, string>
  readonly leaseMs: number
  /** Nothing comes after it. */
  readonly isLast: boolean
  /** How many jobs there were at the beginning; undefined where that is not known. */
  readonly total: number | undefined
}

export type CarriedPart =
  | {
      readonly kind: 'carried'
      /** Jobs that were started anew. */
      readonly changed: readonly ChangedJob[]
      readonly canceled: readonly CanceledJob[]
      /** The bulk job itself, where that was its end. */
      readonly ended: ChangedJob | undefined
    }
  /** Another replica is at it, or was. */
  | { readonly kind: 'elsewhere' }
  /** It has ended before. */
  | { readonly kind: 'over' }
  /** Nothing was done: something came in between. */
  | { readonly kind: 'again' }

/** Jobs that the schedulers carry out themselves. */
export interface BulkStore {
  /** Records one as running; false where its id or request id is taken. */
  insert(job: NewBulkJob): Promise<boolean>
  /** Undefined when it took too long. */
  preview(
    scope: JobScope,
    verb: BulkVerb,
    filter: JobFilter,
    limitMs?: number,
  ): Promise<JobSelection | undefined>
  /**
   * The one whose turn it is, but for those of `except`; of an owner who is among the `served` only where there is no other. Reading it
   * throws where a newer release has written what this one cannot read.
   */
  next(
    except: readonly string[],
    served: readonly string[],
  ): Promise<{ id: string; owner: string; read(): BulkJob } | undefined>
  /** How many jobs it selects; undefined when counting took too long. */
  count(bulk: BulkJob): Promise<number | undefined>
  /** The next jobs to look at, newest first. */
  targets(bulk: BulkJob, limit: number): Promise<BulkTarget[]>
  /** Does a part of it, whole or not at all. */
  carry(bulk: BulkJob, part: PartRequest): Promise<CarriedPart>
}
