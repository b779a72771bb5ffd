/** What the executor knows of one attempt of one job: what it is told to run and how it ended. */
import type { LaneName } from '@offstage/proto/lanes'

/** Names one attempt of one job. */
export interface AttemptRef {
  readonly jobId: string
  /** From 1. */
  readonly attempt: number
}

/** An attempt as one text: what maps are keyed by and threads report under. */
export type AttemptKey = string

export function attemptKey(ref: AttemptRef): AttemptKey {
  return `${ref.jobId}/${ref.attempt}`
}

/** Brings its key along: a text that is made anew is hashed anew. */
export interface KeyedAttempt extends AttemptRef {
  readonly key: AttemptKey
}

/**
 * One attempt to run. What is empty is undefined.
 */
export interface AttemptOrder extends KeyedAttempt {
  readonly method: string
  readonly lane: LaneName
  readonly namespace: string
  readonly owner?: string
  /** The parameters as JSON text, as raw bytes, or where in temp storage they are. Absent: `{}`. */
  readonly params?: string | Uint8Array | ValueAddress
  readonly traceparent?: string
  readonly tracestate?: string
  /** Bears the owner's rights within this job. */
  readonly token?: string
  /** The caller's scope in temp storage. */
  readonly scope?: string
  /** The job's key (row J4). */
  readonly jobKey?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Where the result must go, whatever its size. */
  readonly resultAddress?: string
  readonly wantAdditionalResult?: boolean
  readonly additionalResultAddress?: string
  /** Time left for this attempt. */
  readonly deadlineMs?: number
  /** Time left of the total deadline of the job. */
  readonly totalMs?: number
  /** Longest silence of the handler. */
  readonly heartbeatMs?: number
  /** What an earlier attempt said last for this one: JSON text or raw bytes. */
  readonly lastHeartbeat?: string | Uint8Array
  /** Media type of parameters that are raw bytes. */
  readonly paramsType?: string
  /** The same of `lastHeartbeat`. */
  readonly lastHeartbeatType?: string
  /** What was asked for, where the method is its fallback. */
  readonly requestedMethod?: string
  readonly displayName?: string
  readonly parentJobId?: string
}

/** What a handler's client acts by, or why there is nothing. */
export type AttemptToken =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'refused'; readonly refusal: TokenRefusal }

/** A fault of a call, as it crosses threads. */
export interface TokenRefusal {
  /** gRPC status code. */
  readonly code: number
  readonly reason: string
  readonly message: string
  readonly retryDelayMs?: number
}

/** A value in temp storage. */
export interface ValueAddress {
  readonly address: string
  readonly contentType: string
  /** In hexadecimal; of what was put there, not of parameters. */
  readonly sha256?: string
}

/** Bytes that are more than bytes. */
export interface TypedBytes {
  readonly bytes: Uint8Array
  readonly contentType: string
}

/** What a heartbeat carries: JSON text, or that wrapped. */
export type HeartbeatData = string | TypedBytes

/** A result: JSON text, raw bytes, those of a codec, or where it was put. */
export type ResultValue = string | Uint8Array | TypedBytes | ValueAddress

/** Why an attempt failed (row J14). */
export interface Fault {
  /** One sentence for the user, at most 1,000 characters. */
  readonly brief: string
  /** Stack and causes, at most 32 KiB. */
  readonly detail: string
  /** UPPER_SNAKE reason, or the class name of the error. */
  readonly reason: string
  /** Whether another attempt may succeed. */
  readonly retryable: boolean
}

/** Why an attempt failed whose thread or process has ended under it. */
export type LostReason = 'EXECUTOR_THREAD_LOST' | 'EXECUTOR_PROCESS_LOST' | 'OUT_OF_MEMORY'

/** How a handler came to its end. */
export type HandlerEnd =
  | { readonly kind: 'succeeded'; readonly result?: ResultValue; readonly additional?: ResultValue }
  | { readonly kind: 'failed'; readonly fault: Fault; readonly additional?: ResultValue }
  /** It gave up because its signal was aborted. */
  | { readonly kind: 'stopped' }
  /** It was told to stop, and its handler was never called. */
  | { readonly kind: 'withdrawn' }
  /** Its thread ended by itself under it. */
  | { readonly kind: 'lost'; readonly detail: string; readonly reason: LostReason }
  /** Its thread was ended by force, on its own account or a neighbour's. */
  | { readonly kind: 'terminated' }

/** How an attempt ended, as the scheduler is told. */
export type AttemptOutcome =
  | Extract<HandlerEnd, { kind: 'succeeded' | 'failed' }>
  | {
      readonly kind: 'canceled'
      readonly text: string
      /** The handler was never called. */
      readonly neverStarted?: boolean
    }

export interface ProgressNote {
  /** 0 to 100. */
  readonly percent: number
  readonly text: string
  readonly extra?: Readonly<Record<string, unknown>>
  /** Counts the reports of an attempt from 1. */
  readonly revision: number
}

export interface MessageNote {
  /** Counts the messages of an attempt from 1. */
  readonly number: number
  readonly severity: 'info' | 'warning' | 'error'
  readonly text: string
  readonly extra?: Readonly<Record<string, unknown>>
}

/** What a handler had left open, and the end of its run has closed (row E1). */
export interface LeftOpenNote {
  readonly what: string
  /** The frames of the handler's code that opened it. */
  readonly openedAt: string
  /** Why it could not be closed. */
  readonly problem?: string
}

/** Whose code did something to the thread that it shares with others. */
export interface Culprit {
  /** Its attempt, which may have ended before. */
  readonly key: AttemptKey
  readonly method: string
}

/** For how long the event loop of the inline lane stood still, and whose code ran meanwhile. */
export interface LoopBlock {
  readonly ms: number
  readonly methods: readonly string[]
}

/** What handlers have changed of what all code of their thread shares. */
export interface GlobalsChange {
  /** Such as `Map.prototype.get`. */
  readonly what: readonly string[]
  /** Methods whose code had run. */
  readonly methods: readonly string[]
}
