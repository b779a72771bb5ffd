/** What is done to all jobs that a filter selects, as a job that the schedulers carry out themselves (row J25). */
import type { ActBy } from './act.ts'
import { JobKind } from './job-kind.ts'
import type { JobFilter } from './job-query.ts'

export type BulkVerb = 'cancel' | 'retry' | 'delete'

/** The methods of these jobs; executors have none of them. */
export const BULK_METHODS: Readonly<Record<BulkVerb, string>> = {
  cancel: 'offstage.cancel_jobs',
  retry: 'offstage.retry_jobs',
  delete: 'offstage.delete_jobs',
}

const ALL_METHODS: readonly string[] = Object.values(BULK_METHODS)

/** Nobody but the schedulers can carry it out: it is asked for anew, and not started anew. */
export function isBulkJob(job: { readonly kind: JobKind; readonly method: string }): boolean {
  return job.kind === JobKind.system && ALL_METHODS.includes(job.method)
}

/** As it is recorded. */
export interface NewBulkJob {
  readonly id: string
  readonly namespace: string
  readonly verb: BulkVerb
  readonly filter: JobFilter
  /** Of whose jobs; undefined: of anybody's. */
  readonly ownerOnly: string | undefined
  /** Whoever asked for it: the owner of the job, in the roles they had. */
  readonly by: ActBy
  /** Of a cancel. */
  readonly reason: string
  readonly graceMs: number
  /** Of a retry: what the jobs require from now on; empty: none; undefined: each what it has required before. */
  readonly requiredVersion: string | undefined
  /** What it was asked with, as JSON. */
  readonly params: Uint8Array
  readonly requestId: string
  readonly traceparent: string
}

/** What became of the jobs so far. */
export interface BulkCounts {
  readonly matched: number
  readonly done: number
  /** How many were left as they were, by the reason. */
  readonly skipped: Readonly<Record<string, number>>
}

/** One that is under way. */
export interface BulkJob
  extends Pick<
    NewBulkJob,
    | 'id'
    | 'namespace'
    | 'verb'
    | 'filter'
    | 'ownerOnly'
    | 'by'
    | 'reason'
    | 'graceMs'
    | 'requiredVersion'
  > {
  readonly counts: BulkCounts
  /** How many there were at its beginning; undefined where that is not known. */
  readonly total: number | undefined
  /** Parts that are done: of two that carry it on from the same one, one does. */
  readonly parts: number
  /** It goes on below this id. */
  readonly beforeId: string | undefined
}

/** A job that the next part looks at. */
export interface BulkTarget {
  readonly id: string
  readonly method: string
}
