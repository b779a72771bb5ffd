/** Attempts, from the claim of a job to its end. */
import type {
  AttemptEnd,
  AttemptKey,
  AttemptSuccess,
  ChangedJob,
  ClaimTerms,
  LimitedClaim,
  LimitedClaimRequest,
  MessageRecord,
  ProgressRecord,
  QueueRef,
  SucceededAttempt,
  TakenJobs,
} from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'

/** Jobs as dispatch hands them out. */
export interface ClaimStore {
  /**
   * Takes queued jobs, best first, one for each entry of `attachmentIds`: of queues with a schema those that fit it. It is not durable when
   * it is answered: a database that loses power may have them queued again, under the same number of the attempt.
   */
  claim(
    namespace: string,
    queues: readonly QueueRef[],
    attachmentIds: readonly AttachmentId[],
    terms?: ClaimTerms,
  ): Promise<TakenJobs>
  /** The same of a method that has limits, as far as they go. */
  claimLimited(request: LimitedClaimRequest): Promise<LimitedClaim>
}

/** How attempts are over. */
export interface EndStore {
  /** Those of plain jobs; what is missing was none, or has had attached children: then `end` ends it. */
  succeed(successes: readonly AttemptSuccess[]): Promise<Map<string, SucceededAttempt>>
  end(ends: readonly AttemptEnd[]): Promise<ChangedJob[]>
  /** Puts attempts back into the queue at no charge. */
  requeue(attempts: readonly AttemptKey[]): Promise<ChangedJob[]>
}

/** What executors report of attempts that go on. */
export interface ReportStore {
  setWaiting(attempts: readonly AttemptKey[], waiting: boolean): Promise<void>
  recordProgress(records: readonly ProgressRecord[]): Promise<void>
  recordMessages(records: readonly MessageRecord[]): Promise<void>
}
