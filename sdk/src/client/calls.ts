/** Calls to the two services: over one connection, as one identity, repeated where that is safe. */
import type { Metadata } from '@grpc/grpc-js'
import { callUnary, retrying, type UnaryMethod } from '../grpc/mod.ts'
import { type IdleClock, systemClock } from '../idle/clock.ts'
import { ATTEMPTS_MAX, CALL_MS_MAX, type CallTerms } from './call-terms.ts'
import type { Connection } from './connection.ts'
import { isTokenRefused } from './credential.ts'
import type { Identity } from './identity.ts'
import { createRequestId } from './request-id.ts'

export class Calls {
  readonly connection: Connection
  readonly identity: Identity
  readonly clock: IdleClock

  constructor(connection: Connection, identity: Identity, clock: IdleClock = systemClock) {
    this.connection = connection
    this.identity = identity
    this.clock = clock
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

  /** Repeats what may be repeated, for as long as a call is, or until `giveUp` says otherwise; for calls that are streams. */
  repeat<T>(
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
    { giveUp = () => false }: { readonly giveUp?: () => boolean } = {},
  ): Promise<T> {
    const patience = this.#patience()
    const policy = { ...patience, giveUp: () => giveUp() || patience.giveUp?.() === true }
    return retrying({ ...policy, signal }, work)
  }

  /**
   * Does work with what says who calls, and once more with another token where the first was refused: nothing of such a call
   * has been done.
   */
  authorized<T>(
    work: (metadata: Metadata) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { credential } = this.identity
    const metadata = credential.metadata()
    if (!(metadata instanceof Promise) && !credential.isRenewable) return work(metadata)
    return this.#renewing(metadata, work, signal)
  }

  async #renewing<T>(
    known: Metadata | Promise<Metadata>,
    work: (metadata: Metadata) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const metadata = known instanceof Promise ? await unlessAborted(known, signal) : known
    try {
      return await work(metadata)
    } catch (error) {
      if (!isTokenRefused(error)) throw error
      const next = await unlessAborted(this.identity.credential.afterRefusal(metadata), signal)
      if (next === undefined) throw error
      return await work(next)
    }
  }

  #call<Req, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    { signal, deadlineMs = CALL_MS_MAX, attempts, repeatMsMax }: CallTerms,
    target: Connection['scheduler'],
  ): Promise<Res> {
    const call = () =>
      this.authorized(
        (metadata) => callUnary(method, request, { signal, deadlineMs, metadata, target }),
        signal,
      )
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
}

/** Waits no longer than the caller does; what it waits for goes on for others. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
