import type { LaneName } from '@offstage/proto/lanes'

/** What an executor announces of a method it runs; plain, so that a thread can send it. */
export interface MethodAnnouncement {
  readonly name: string
  readonly description: string
  /** JSON Schema as text; empty when there is none. */
  readonly paramsSchema: string
  readonly resultSchema: string
  readonly lane: LaneName
  readonly retry?: RetryTerms
  readonly deadlines?: DeadlineTerms
  readonly limits?: readonly LimitTerms[]
  /** CEL, by the label that its jobs get (row J18). */
  readonly labelExpressions?: Readonly<Record<string, string>>
  readonly startableBy?: StarterTerms
  readonly privileged?: boolean
  readonly childrenPolicy?: 'all' | 'first' | 'ignore'
  readonly foregroundOnly?: boolean
  readonly version?: string
  /** What its jobs say of themselves is for those alone who have the wrappers of its codec (row J22). */
  readonly wrapsReports?: boolean
}

/** What the job modules of an executor define. */
export interface Announcement {
  readonly methods: readonly MethodAnnouncement[]
  /** Schedules, each as the message that declares it. */
  readonly schedules: readonly Uint8Array[]
}

/** How many run, begin and wait where none is set (row J20). */
export interface LimitTerms {
  readonly per?: string
  readonly concurrencyMax?: number
  readonly rate?: { readonly count: number; readonly periodMs?: number; readonly burst?: number }
  readonly queuedMax?: number
}

/** Who may start it (row J5). */
export interface StarterTerms {
  readonly roles?: readonly string[]
  readonly users?: readonly string[]
}

/** The retry policy when a start names none (row J16). */
export interface RetryTerms {
  readonly maxAttempts?: number
  readonly initialBackoffMs?: number
  readonly backoffMultiplier?: number
  readonly backoffMsMax?: number
  readonly jitter?: number
}

/** Deadlines where a start names none (row J17). */
export interface DeadlineTerms {
  readonly queueMs?: number
  readonly attemptMs?: number
  readonly totalMs?: number
  readonly heartbeatMs?: number
}
