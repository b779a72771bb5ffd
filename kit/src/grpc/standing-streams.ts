/**
 * Streams that stay open for as long as somebody waits or attaches: their callers are asked about again and again, so that a
 * stream goes on no longer than its caller may open it.
 *
 * 1. A stream ends within `everyMs`, and a fifth of it, of when its token is not taken any more: it has ended, its key was
 *    withdrawn, its attempt is over, or the identity file says something else of its subject.
 * 2. Where nobody can say whether it is taken, the stream goes on for `DOUBTS_MAX` looks in a row, and then ends as well.
 * 3. One timer serves all, and runs only while there are such streams; each look goes to those whose turn it is.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Metadata, status } from '@grpc/grpc-js'
import { type Actor, type Authenticate, may, type Right, type Shown } from '../auth/mod.ts'
import { Refusal } from './refusal.ts'

export const LOOK_AGAIN_MS = 5_000
const DOUBTS_MAX = 12

/** What of a call this looks at. */
export interface StandingCall {
  readonly actor: Actor
  readonly metadata: Metadata
  readonly peer: string
  readonly shown: Shown
  abort(why: unknown): void
}

interface Standing {
  readonly context: StandingCall
  readonly right: Right
  lookAtMs: number
  doubts: number
}

export class StandingStreams {
  readonly #authenticate: Authenticate
  readonly #everyMs: number
  /** In the order they are to be looked at. */
  readonly #streams = new Set<Standing>()
  #timer: NodeJS.Timeout | undefined

  constructor(authenticate: Authenticate, everyMs = LOOK_AGAIN_MS) {
    this.#authenticate = authenticate
    this.#everyMs = everyMs
  }

  /** From now on the call is looked at; call what is returned when it is over. */
  watch(context: StandingCall, right: Right): () => void {
    const lookAtMs = performance.now() + this.#everyMs
    const standing: Standing = { context, right, lookAtMs, doubts: 0 }
    this.#streams.add(standing)
    this.#timer ??= setInterval(() => this.#look(), this.#everyMs / 5).unref()
    return () => void this.#streams.delete(standing)
  }

  #look(): void {
    const nowMs = performance.now()
    for (const standing of this.#streams) {
      if (standing.lookAtMs > nowMs) break
      this.#streams.delete(standing)
      this.#streams.add(standing)
      standing.lookAtMs = nowMs + this.#everyMs
      void this.#lookAt(standing)
    }
    if (this.#streams.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #lookAt(standing: Standing): Promise<void> {
    const { context, right } = standing
    try {
      const found = this.#authenticate(context.metadata, context.peer, context.shown)
      const actor = found instanceof Promise ? await found : found
      standing.doubts = 0
      if (!isSame(actor, context.actor) || !may(actor, right)) context.abort(rightsChanged())
    } catch (error) {
      standing.doubts += 1
      const isRefused = error instanceof Refusal && error.code === status.UNAUTHENTICATED
      if (isRefused || standing.doubts >= DOUBTS_MAX) context.abort(error)
    }
  }
}

function isSame(actor: Actor, before: Actor): boolean {
  return actor === before || isDeepStrictEqual(actor, before)
}

function rightsChanged(): Refusal {
  return new Refusal({
    reason: 'RIGHTS_CHANGED',
    message: 'what you may do has changed while this stream was open: open it again',
    retryDelayMs: 100,
  })
}
