/**
 * What a handler knows about the call it serves. Made for each call, so everything that costs is
 * made when first asked for.
 *
 * 1. The signal aborts at most once, and only while the handler runs: grpc-js also emits `cancelled`
 *    after calls that ended well.
 * 2. A call is in `edge.open` from the first look at its signal until the handler is done, so a
 *    stopping server reaches every handler that can be told.
 */

import type { Metadata } from '@grpc/grpc-js'
import type { Actor, Shown } from '../auth/mod.ts'
import { type AbortCause, CallAborted, isAbortCause } from './call-aborted.ts'
import type { OpenKind } from './call-limits.ts'
import type { Edge } from './edge.ts'
import { IncomingCall } from './incoming-call.ts'

/** What every handler is given beside the request. */
export interface CallContext {
  /** Aborts, with a {@link CallAborted}, when the answer is no longer wanted or the server stops; with a refusal where its caller may no longer have it. */
  readonly signal: AbortSignal
  /** When the caller stops waiting; undefined when it set no deadline. */
  readonly deadline: Date | undefined
  readonly metadata: Metadata
  /** Who calls. */
  readonly actor: Actor
  /** Address of the other end of the connection, `host:port`. */
  readonly peer: string
  /** What is called, `/package.Service/Method`. */
  readonly path: string
}

/** The part all call objects of grpc-js share. */
export interface SurfaceCall {
  readonly cancelled: boolean
  readonly metadata: Metadata
  getDeadline(): Date | number
  getPath(): string
  once(event: 'cancelled', listener: () => void): unknown
}

const NOBODY: Actor = Object.freeze({ user: '', roles: [], namespaces: [] })

/** What grpc-js made the call of, which it keeps under this name in each of its four kinds. */
function incomingOf(call: SurfaceCall): IncomingCall {
  const { call: incoming } = call as unknown as { readonly call: unknown }
  if (incoming instanceof IncomingCall) return incoming
  throw new Error('a call has come past the admission')
}

export class ServerCall implements CallContext {
  /** Read at once: grpc-js forgets it with the connection. */
  readonly peer: string
  readonly incoming: IncomingCall
  readonly #edge: Edge
  readonly #call: SurfaceCall
  #controller: AbortController | undefined
  #done = false
  #entered: { readonly user: string; readonly kind: OpenKind } | undefined

  constructor(edge: Edge, call: SurfaceCall) {
    this.#edge = edge
    this.#call = call
    this.incoming = incomingOf(call)
    this.peer = this.incoming.getPeer()
  }

  get metadata(): Metadata {
    return this.#call.metadata
  }

  get actor(): Actor {
    return this.incoming.actor ?? NOBODY
  }

  get path(): string {
    return this.#call.getPath()
  }

  get deadline(): Date | undefined {
    const deadline = this.#call.getDeadline()
    return deadline === Number.POSITIVE_INFINITY ? undefined : new Date(deadline)
  }

  get shown(): Shown {
    return this.incoming
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal
    this.#controller = new AbortController()
    if (this.#call.cancelled) this.abort(this.#cancelCause())
    else if (!this.#done) this.#watch()
    return this.#controller.signal
  }

  /** Why the call was aborted, once it was. */
  get aborted(): unknown {
    return this.signal.aborted ? this.signal.reason : undefined
  }

  /** With a cause of its own or with what the call is to be answered. */
  abort(why: unknown): void {
    if (!this.#done) this.#controller?.abort(isAbortCause(why) ? new CallAborted(why) : why)
  }

  /** Counts the call as the user's until it is finished; throws where they have too many. */
  enter(user: string, kind: OpenKind): void {
    this.#edge.limits.enter(user, kind)
    this.#entered = { user, kind }
  }

  /** The handler is done: from here on nothing aborts. */
  finish(): void {
    this.#done = true
    if (this.#controller !== undefined) this.#edge.open.delete(this)
    if (this.#entered === undefined) return
    this.#edge.limits.leave(this.#entered.user, this.#entered.kind)
    this.#entered = undefined
  }

  #watch(): void {
    this.#edge.open.add(this)
    this.#call.once('cancelled', () => this.abort(this.#cancelCause()))
  }

  #cancelCause(): AbortCause {
    const late = Date.now() >= Number(this.#call.getDeadline())
    return late ? 'deadline' : 'cancelled'
  }
}
