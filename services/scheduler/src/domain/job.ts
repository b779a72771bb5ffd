/** A job as the store hands it out. */
import type { CancelOutcome } from './cancel-outcome.ts'
import type { JobKind } from './job-kind.ts'
import type { JobState } from './job-state.ts'
import type { Lane } from './lane.ts'
import type { Severity } from './severity.ts'
import type { Payload, StartOptions } from './start-command.ts'

export interface JobError {
  readonly brief: string
  readonly detail: string
  readonly reason: string
  readonly retryable: boolean
}

/** The end of a job. */
export interface Completion {
  readonly state: JobState
  readonly result: Payload | undefined
  readonly additionalResult: Payload | undefined
  readonly error: JobError | undefined
  readonly cancelOutcome: CancelOutcome
  readonly finishTime: Date
  /** What is stored of it and cannot be read, in words: it is left out. */
  readonly unreadable?: string | undefined
  /** Results and the detail of the error are not for who asks. */
  readonly payloadHidden?: true
}

/** A job, as it is asked for: of what does not exist for who asks nothing is read. */
export interface AskedJob {
  readonly id: string
  readonly namespace: string
  /** Whose it has to be; undefined: anybody's. */
  readonly owner: string | undefined
}

/** A job as a watch reads it, all at one moment. */
export interface WatchedJob extends JobStanding {
  readonly progress: Progress | undefined
  /** Of its newest message. */
  readonly sequence: number
}

/** How far a job has come: what differs from it has something to tell. */
export interface JobMark {
  readonly state: JobState
  readonly progressRevision: number
  /** Of its newest message. */
  readonly sequence: number
}

/** Where a job stands, as waiters need it. */
export interface JobStanding {
  readonly id: string
  readonly namespace: string
  readonly owner: string
  readonly state: JobState
  /** Set once the state is terminal. */
  readonly completion: Completion | undefined
}

export interface Progress {
  readonly percent: number
  readonly text: string
  readonly extra: Record<string, unknown> | undefined
  readonly revision: number
}

export interface JobMessage {
  readonly sequence: number
  readonly recordTime: Date
  readonly severity: Severity
  readonly text: string
  readonly extra: Record<string, unknown> | undefined
}

/** One run of a job's handler. */
export interface JobAttempt {
  readonly jobId: string
  readonly attempt: number
  /** Of the executor; empty where it is not known any more. */
  readonly sessionId: string
  readonly executorName: string
  readonly lane: Lane
  readonly startTime: Date | undefined
  /** Undefined while it runs. */
  readonly finishTime: Date | undefined
  /** The state it left the job in, or is in; failed, where the job tries again. */
  readonly outcome: JobState
  readonly errorBrief: string
  readonly errorReason: string
}

/** How much of a job is told; `full` adds parameters, results and the details of errors. */
export type JobView = 'basic' | 'full'

export interface Job extends JobStanding {
  readonly method: string
  readonly revision: number
  readonly kind: JobKind
  /** It is kept whatever the retention. */
  readonly pinned: boolean
  readonly key: string
  readonly requestId: string
  readonly parentId: string
  /** The first ancestor; the job itself where it has no parent. */
  readonly rootId: string
  readonly lane: Lane
  /** Empty: the default one. */
  readonly pool: string
  readonly priority: number
  readonly labels: Readonly<Record<string, string>>
  readonly attempt: number
  readonly crashCount: number
  readonly createTime: Date
  readonly dueTime: Date | undefined
  readonly startTime: Date | undefined
  /** The executor session that runs it; empty while none does. */
  readonly sessionId: string
  readonly cancelRequested: boolean
  readonly cancelReason: string
  readonly traceparent: string
  readonly options: StartOptions
  /** Its parent ends only when it has. */
  readonly isAttached: boolean
  /** Undefined where they were not asked for. */
  readonly params: Payload | undefined
  readonly lastError: JobError | undefined
  readonly progress: Progress | undefined
  /** What its attempts said last for the next one; undefined for none, or where it was not asked for. */
  readonly heartbeatData: Payload | undefined
  /** Undefined where they were not asked for. */
  readonly attempts: readonly JobAttempt[] | undefined
  /** What is stored of it and cannot be read, in words: it is left out. That of its end is told there. */
  readonly unreadable: string | undefined
  /** What it was given, what came of it and what it says of itself are not for who asks. */
  readonly payloadHidden?: true
}
