import type { AttemptKey, ChangedJob, OpenCancel } from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'

/** What the sweeps behind the hints do; each works off a bounded part and says what it changed. */
export interface SweepStore {
  promoteDue(limit: number): Promise<ChangedJob[]>
  promoteBehindKey(limit: number): Promise<ChangedJob[]>
  expireQueued(limit: number): Promise<ChangedJob[]>
  /** Ends what nobody runs and is past its total deadline. */
  expireTotal(limit: number): Promise<ChangedJob[]>
  /** Ends what only the process of its caller was to run, which has gone, and lets the rest of it go on elsewhere. */
  leaveGoneSessions(limit: number): Promise<ChangedJob[]>
  /** Ends canceled jobs whose executor has not ended them in time. */
  forceCanceled(limit: number): Promise<ChangedJob[]>
  /** Cancels asked for and still open on these attachments; `leaseMs` as in their requests. */
  openCancels(attachmentIds: readonly AttachmentId[], leaseMs: number): Promise<OpenCancel[]>
  /** Forgets the buckets of rates that are full again: one that is not there is full. */
  forgetFullBuckets(): Promise<void>
  /** What these attachments hold, running or waiting. */
  heldBy(attachmentIds: readonly AttachmentId[]): Promise<AttemptKey[]>
  /** What attachments hold that are forgotten. */
  orphans(limit: number): Promise<AttemptKey[]>
}
