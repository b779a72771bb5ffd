/** Jobs as they change hands: started, taken, ended, changed. */

import type { ActBy } from './act.ts'
import type { AttachmentId } from './ids.ts'
import type { Completion, JobError, JobStanding, Progress } from './job.ts'
import type { JobState } from './job-state.ts'
import type { Lane } from './lane.ts'
import type { Severity } from './severity.ts'
import type { JobContent, Payload, StartCommand } from './start-command.ts'

/** A start with the id it will have and, for eager dispatch, the attachment that will run it. */
export interface NewJob {
  readonly id: string
  readonly command: StartCommand
  readonly lane: Lane
  /** Inserted as running here; undefined: queued. */
  readonly attachmentId: AttachmentId | undefined
  /** Running only where the limits of its method have room for it, and no other of it is queued; else queued, too. */
  readonly withinLimits?: boolean
  /** Somebody is known to have its namespace exclusively: whether it may be recorded is found out by the statement that does. */
  readonly inExclusive?: boolean
}

/** The unfinished or remembered job a start ran into. */
export interface ExistingJob extends JobStanding {
  readonly method: string
  /** What was asked for, where that is its fallback. */
  readonly requestedMethod?: string | undefined
  readonly key: string
  readonly params: Payload
  readonly ageMs: number
  /** Why it stands in the way. */
  readonly by: 'request-id' | 'key'
}

/** Names an attempt to its executor. */
export interface AttemptRef {
  readonly jobId: string
  readonly attempt: number
}

/** Names an attempt the way writes are fenced: a write for any other than the present one changes nothing. */
export interface AttemptKey extends AttemptRef {
  readonly attachmentId: AttachmentId
}

/** All an executor and the end of an attempt need of a running job. */
export interface RunningJob extends JobContent {
  readonly id: string
  readonly attempt: number
  readonly failures: number
  /** Of its total deadline; undefined where it has none. */
  readonly totalLeftMs?: number | undefined
  /** What an earlier attempt said last for this one. */
  readonly heartbeatData?: Payload | undefined
}

export interface ClaimedJob extends RunningJob {
  readonly attachmentId: AttachmentId
  /** Undefined: the default one. */
  readonly pool?: string | undefined
}

/** A job of which this release cannot read what is stored. */
export interface UnreadableJob extends AttemptKey {
  /** What cannot be read, in words. */
  readonly fault: string
}

/** Jobs that are with an attachment from now on: those that cannot be read stop none of the others. */
export interface TakenJobs {
  readonly jobs: readonly ClaimedJob[]
  readonly unreadable: readonly UnreadableJob[]
}

/** How an attempt that did not simply succeed leaves its state. */
export interface AttemptEnd extends AttemptKey {
  readonly state: JobState
  readonly result: Payload | undefined
  readonly additionalResult: Payload | undefined
  readonly error: JobError | undefined
  /** For a retry: the pause before the next attempt. */
  readonly backoffMs: number
  /** For a cancel: the handler was never called. Default false. */
  readonly neverStarted?: boolean
}

export interface AttemptSuccess extends AttemptKey {
  /** JSON, at most 64 KiB; undefined for a procedure. Everything else goes through AttemptEnd. */
  readonly result: Uint8Array | undefined
}

/** What was recorded of an attempt that succeeded. */
export interface SucceededAttempt extends Completion {
  readonly attachedTo?: string | undefined
}

/** A job whose state a write changed. */
export interface ChangedJob extends JobStanding {
  readonly method: string
  readonly key: string
  /** W3C trace context; empty for none. */
  readonly traceparent: string
  /** The parent that ends only when it has. */
  readonly attachedTo?: string | undefined
}

export interface CancelRequest {
  readonly namespace: string
  readonly jobId: string
  /** Only a job of this owner; undefined: of any. */
  readonly owner: string | undefined
  /** Recorded where it takes in jobs of others. */
  readonly by: ActBy
  readonly reason: string
  readonly graceMs: number
  /** Added to the grace: how long a dead executor can hold up the end. */
  readonly leaseMs: number
  readonly cascade: boolean
}

export interface RetryRequest {
  readonly namespace: string
  readonly jobId: string
  /** Only a job of this owner; undefined: of any. */
  readonly owner: string | undefined
  /** Said again, it is the same retry; empty: none. */
  readonly requestId: string
  /** It requires this version from now on; empty: none; undefined: the one of before. */
  readonly requiredVersion: string | undefined
  /** Recorded where the job is somebody else's. */
  readonly by: ActBy
}

export type KeyHolder = Pick<ExistingJob, 'id' | 'owner' | 'key' | 'ageMs'>

export type RetriedJob =
  | { readonly kind: 'retried'; readonly job: ChangedJob }
  /** It was by the same request id; nothing is changed. */
  | { readonly kind: 'repeated' }
  | { readonly kind: 'missing' }
  /** The schedulers carried it out themselves. */
  | { readonly kind: 'bulk-job' }
  | { readonly kind: 'not-retryable'; readonly state: JobState }
  /** `holder` is undefined where another look is to find out. */
  | { readonly kind: 'key-taken'; readonly holder: KeyHolder | undefined }

export interface CanceledJob extends ChangedJob {
  readonly attachmentId: AttachmentId | undefined
  readonly attempt: number
}

/** With neither it is a sign of life, which is not recorded. */
export interface ProgressRecord extends AttemptKey {
  readonly progress: Progress | undefined
  readonly heartbeatData?: Payload | undefined
}

export interface MessageRecord extends AttemptKey {
  readonly number: number
  readonly severity: Severity
  readonly text: string
  readonly extra: Record<string, unknown> | undefined
}

export interface QueueRef {
  readonly method: string
  readonly lane: Lane
  /** Empty: the default one. */
  readonly pool: string
  /** Where executors differ in what they take of the method: the id of the schema these go by. */
  readonly schema?: string | undefined
}

/** What a claim of methods without limits is asked with besides. */
export interface ClaimTerms {
  /** Those jobs alone that begin while somebody has the namespace exclusively; else none begin then. Default false. */
  readonly inExclusive?: boolean
  /** How many jobs other claims from these queues may be taking at the moment: they are passed over. Default 0. */
  readonly underWay?: number
}

/** Asks for jobs of a method that has limits. */
export interface LimitedClaimRequest {
  readonly namespace: string
  readonly method: string
  /** All of this method. */
  readonly queues: readonly QueueRef[]
  /** One for each free slot. */
  readonly attachmentIds: readonly AttachmentId[]
  /** The value of its key that had the last turn; undefined: none. */
  readonly afterKey?: string | undefined
  /** Look for jobs that were started before the method had a key. */
  readonly giveKeys: boolean
  /** Those alone that begin while somebody has the namespace exclusively. */
  readonly inExclusive?: boolean
}

export interface LimitedClaim {
  readonly taken: TakenJobs
  /** Somebody else claims of the method just now: nothing was taken. */
  readonly busy: boolean
  /** Jobs of the method are left, in whichever queues. */
  readonly queued: boolean
  /** When a rate has room again for jobs that are queued; undefined where it is not that. */
  readonly againMs: number | undefined
  /** Jobs are left, and as many of the method as a whole run as may: none begins until one has ended. */
  readonly isFull: boolean
  /** The value of the key that had the last turn of these; undefined where none had one. */
  readonly lastKey?: string
}

export interface OpenCancel extends AttemptKey {
  readonly reason: string
  readonly graceMs: number
}
