/**
 * One identity on one connection: what a client, its handles and its waits share. Cheap to make; it opens
 * its watch stream only when something waits.
 */
import type { Metadata } from '@grpc/grpc-js'
import { callUnary, retrying, type UnaryMethod } from '../grpc/mod.ts'
import { type IdleClock, systemClock } from '../idle/clock.ts'
import { ATTEMPTS_MAX, CALL_MS_MAX, type CallTerms } from './call-terms.ts'
import type { Connection } from './connection.ts'
import { JobWatcher } from './job-watcher.ts'
import { createRequestId } from './request-id.ts'
import { TempStorage } from './temp-storage.ts'

/** Who calls, and on behalf of which job. */
export interface Identity {
  readonly namespace: string
  /** Scope of temp storage for starts and values that name none; empty for none. */
  readonly scope: string
  /** The job the calls are made in; its starts are children of it. Empty outside of jobs. */
  readonly parentJobId: string
  /** Goes with every call: user, token, trace. */
  readonly metadata: Metadata
  /** Told when the job begins to wait for others and when it goes on (row J11). */
  readonly onWaiting?: (waiting: boolean) => void
  /** Aborted when the job the calls are made in is to stop; absent outside of jobs. */
  readonly signal?: AbortSignal
}

export class Session {
  readonly connection: Connection
  readonly identity: Identity
  readonly clock: IdleClock
  readonly watcher: JobWatcher
  readonly storage: TempStorage
  #waits = 0

  constructor(connection: Connection, identity: Identity, clock: IdleClock = systemClock) {
    this.connection = connection
    this.identity = identity
    this.clock = clock
    this.watcher = new JobWatcher(this)
    this.storage = new TempStorage(this)
  }

  /** A request id no other start has (row J19). */
  nextRequestId(): string {
    return createRequestId(Date.now() + this.connection.skewMs)
  }

  /** Calls the scheduler, again where it is unavailable: for calls that may be repeated. */
  callScheduler<Req, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    terms: CallTerms = {},
  ): Promise<Res> {
    return this.#call(method, request, terms, this.connection.scheduler)
  }

  /** Calls the storage service in the same way. */
  callStorage<Req, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    terms: CallTerms = {},
  ): Promise<Res> {
    return this.#call(method, request, terms, this.connection.storage)
  }

  /** Repeats what may be repeated, for as long as a call is; for calls that are streams. */
  repeat<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return retrying({ ...this.#patience(), signal }, work)
  }

  #call<Req, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    { signal, deadlineMs = CALL_MS_MAX, attempts, repeatMsMax }: CallTerms,
    target: Connection['scheduler'],
  ): Promise<Res> {
    const { metadata } = this.identity
    const call = () => callUnary(method, request, { signal, deadlineMs, metadata, target })
    const untilMs = repeatMsMax === undefined ? undefined : this.clock.now() + repeatMsMax
    const patience = attempts === undefined ? this.#patience() : { attempts }
    const giveUp = () =>
      patience.giveUp?.() === true || (untilMs !== undefined && this.clock.now() >= untilMs)
    return retrying({ attempts: patience.attempts, giveUp, signal }, call)
  }

  /** How often to try: see {@link CallTerms.attempts}. */
  #patience(): { readonly attempts: number; readonly giveUp?: () => boolean } {
    const { signal } = this.identity
    if (signal === undefined) return { attempts: ATTEMPTS_MAX }
    let failures = 0
    const giveUp = () => {
      failures += 1
      return failures >= ATTEMPTS_MAX && signal.aborted
    }
    return { attempts: Number.POSITIVE_INFINITY, giveUp }
  }

  /** Says that the job waits while `work` goes on; several waits at a time count as one (row J11). */
  async waiting<T>(work: () => Promise<T>): Promise<T> {
    const { onWaiting } = this.identity
    if (onWaiting === undefined) return work()
    if (this.#waits++ === 0) onWaiting(true)
    try {
      return await work()
    } finally {
      if (--this.#waits === 0) onWaiting(false)
    }
  }

  /** Ends the watch stream; the connection stays. */
  close(): void {
    this.watcher.close()
  }
}
