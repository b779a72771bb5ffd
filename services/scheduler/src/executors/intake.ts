import type { AttemptResult } from '../domain/attempt-result.ts'
import type { AttemptKey, ChangedJob, UnreadableJob } from '../domain/held-job.ts'
import type { Attachment } from './attachment.ts'
import type { Credit } from './credits.ts'

/** Takes in what executors say and bring. Dispatch is it, which knows executors, while they do not know dispatch. */
export interface Intake {
  /** Records results of one executor; settles when they are recorded or the attachment is gone. */
  record(attachment: Attachment, results: readonly AttemptResult[]): Promise<void>
  /** Puts attempts back into the queue at no charge, however long the database takes; settles when they are. Never rejects. */
  requeue(attempts: readonly AttemptKey[]): Promise<void>
  /** Fails jobs nobody here could run, however long the database takes. */
  failUnreadable(jobs: readonly UnreadableJob[]): void
  /** To be told of jobs whose state a write elsewhere has changed. */
  changed(jobs: readonly ChangedJob[]): void
  /** An executor serves these methods: jobs may have waited for it. */
  lookFor(namespace: string, methods: Iterable<string>): void
  slotsFreed(credits: readonly Credit[]): void
  /** Gates were changed by a call to this replica: tells the others, and resolves when this one goes by them. */
  gatesChanged(namespace: string): Promise<void>
}
