/**
 * What the main thread and a handler thread say to each other. Both sides gather what they have and
 * send it in one message, because each message wakes the other thread up. What is said of every
 * attempt are rows: the copy of an object costs several times that of its fields.
 */

import type { MessagePort } from 'node:worker_threads'
import type { CertificateFiles } from '@offstage/proto/certificate-files'
import type {
  AttemptKey,
  AttemptToken,
  Culprit,
  GlobalsChange,
  HandlerEnd,
  HeartbeatData,
  LeftOpenNote,
  LoopBlock,
  MessageNote,
  ProgressNote,
  ResultValue,
} from '../domain/attempt.ts'
import type { LeakFigures, LeakOrder } from '../domain/leaks.ts'
import type { Announcement } from '../domain/method.ts'
import type { RefreshScope } from '../domain/refresh-scope.ts'
import type { OrderRow } from './order-row.ts'

/** Given to a handler thread as its `workerData`. */
export interface ThreadOptions {
  /** Absolute paths of module files and folders with job definitions. */
  readonly jobs: readonly string[]
  /** Address of the scheduler, for the handlers' clients. */
  readonly scheduler: string
  /** Address of the storage service. */
  readonly storage: string
  /** TLS of the handlers' clients; absent: plain text. */
  readonly tls?: CertificateFiles & { readonly reloadMs?: number }
  /** Handlers act by tokens of their attempts, which they ask the main thread for; else by the name of the owner. */
  readonly attemptTokens: boolean
  /** Collector for spans; absent: handlers are not traced. */
  readonly otlpEndpoint?: string
  /** Tells of an event loop that stood still for so long; absent: of none. */
  readonly blockedAfterMs?: number
  /** What is tracked for leaks from the first attempt on; absent: nothing. */
  readonly leaks?: LeakOrder
}

/**
 * How the two speak, given to the thread beside its options: a port of their own, because handlers
 * reach `parentPort`.
 */
export interface ThreadLink {
  readonly port: MessagePort
  /** Shared; see `claims.ts`. */
  readonly claims: SharedArrayBuffer
}

/** From the main thread to a handler thread. */
export interface ThreadOrders {
  readonly attempts: OrderRow[]
  readonly stops: StopOrder[]
  readonly tokens: TokenAnswer[]
  /** Drop these reusable values; to be answered by `refreshed`. */
  readonly refreshes?: readonly RefreshScope[]
  /** Refreshes that the thread asked for have been told to the others, or have not. */
  readonly refreshAnswers?: readonly RefreshAnswer[]
  /** Track this for leaks, in the place of what was before. */
  readonly leaks?: LeakOrder
  /** Runs nothing any more: flush telemetry and end. */
  readonly close?: boolean
}

/** An attempt asks for a token. */
export interface TokenAsk {
  readonly key: AttemptKey
  /** With what its privileged method may do; else with what the owner may. */
  readonly privileged: boolean
}

/** Answers the attempt that asked for a token. */
export interface TokenAnswer extends TokenAsk {
  readonly answer: AttemptToken
}

/** Code of the thread has refreshed reusable values, of which the others are to hear; or it is to hear what was refreshed up to an epoch. */
export type RefreshAsk = {
  /** Counted by the thread, from 1. */
  readonly id: number
} & ({ readonly scope: RefreshScope } | { readonly epoch: number })

export interface RefreshAnswer {
  readonly id: number
  /** Up to which the thread has been told everything with this. */
  readonly epoch?: number
  /** Why others were not told; absent: they were. */
  readonly fault?: string
}

/** Abort the signal of an attempt. */
export interface StopOrder {
  readonly key: AttemptKey
  /** Name, message and code of the signal's reason. */
  readonly name: string
  readonly message: string
  readonly code: string
}

/** From a handler thread to the main thread. */
export type ThreadMessage =
  | ({ readonly kind: 'ready' } & Announcement)
  /** The job modules cannot be loaded. */
  | { readonly kind: 'unusable'; readonly detail: string }
  /** It ends: by a process.exit in the code of this attempt, or by what that has thrown and nobody caught. */
  | { readonly kind: 'exiting'; readonly culprit: Culprit }
  /** Handlers changed what all of the thread share: give it nothing more. */
  | { readonly kind: 'changed'; readonly change: GlobalsChange }
  /** Its event loop stood still. */
  | { readonly kind: 'blocked'; readonly block: LoopBlock }
  /** What attempts have left behind since the thread tracks them, of names of which that has changed; seen under the order of this number. */
  | { readonly kind: 'leaks'; readonly figures: readonly LeakFigures[]; readonly round: number }
  | { readonly kind: 'reports'; readonly reports: ThreadReports }
  /** It has dropped what it was told to. */
  | { readonly kind: 'refreshed' }
  | { readonly kind: 'refresh'; readonly ask: RefreshAsk }

export type SuccessRow = readonly [key: AttemptKey, result: ResultValue | undefined]

/** What happened since the last message, each list in order. */
export interface ThreadReports {
  progress?: { readonly key: AttemptKey; readonly note: ProgressNote }[]
  messages?: { readonly key: AttemptKey; readonly note: MessageNote }[]
  waiting?: { readonly key: AttemptKey; readonly waiting: boolean }[]
  /** With what the next attempt is to be given. */
  heartbeats?: { readonly key: AttemptKey; readonly data?: HeartbeatData }[]
  /** Attempts whose clients need a token. */
  tokens?: TokenAsk[]
  /** For the log. */
  leftOpen?: { readonly key: AttemptKey; readonly notes: readonly LeftOpenNote[] }[]
  ends?: { readonly key: AttemptKey; readonly end: HandlerEnd }[]
  /** Of attempts that succeeded, with one result or none. */
  successes?: SuccessRow[]
}
