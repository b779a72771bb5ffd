/**
 * Who calls, as it goes with every call: the user in development mode, else a token, which is asked for anew before it ends.
 *
 * 1. A token that is known goes along without waiting; one that is about to end still does while the next is asked for.
 * 2. One question at a time, however many calls need its answer.
 * 3. A token that was refused is not sent again, unless its source has no other; a source that fails while the token from before
 *    has not ended fails no call.
 * 4. After its end nothing goes along, and every call is refused.
 */
import { Metadata, status } from '@grpc/grpc-js'
import { OffstageError } from '../grpc/mod.ts'
import {
  endOfToken,
  type TokenSource,
  type Tokens,
  tokensIn,
  tokensOf,
  userOfToken,
} from './token-source.ts'

export interface CredentialOptions {
  /** Empty or absent: none. */
  readonly token?: TokenSource
  /** A file that has the token, in place of it. */
  readonly tokenFile?: string
  /** Believed in development mode only. */
  readonly user?: string
  /** W3C trace context. */
  readonly traceparent?: string
  /** Default Date.now. */
  readonly now?: () => number
}

/** A token is asked for anew when so much of its time is left, or a fifth if that is less. */
const AHEAD_MS_MAX = 60_000
/** The shortest time between two questions while there is a token, even where clocks differ. */
const PAUSE_MS = 1_000

interface Held {
  readonly metadata: Metadata
  readonly endsAtMs: number
  /** From here on the next is asked for. */
  renewAtMs: number
}

export class Credential {
  /** Whether a token goes along, be it one that is still to be asked for. */
  readonly sendsToken: boolean
  readonly #base: Metadata
  readonly #tokens: Tokens | undefined
  readonly #now: () => number
  #held: Held | undefined
  #asking: Promise<Metadata> | undefined
  #end: OffstageError | undefined

  constructor({ token, tokenFile, user, traceparent, now = Date.now }: CredentialOptions) {
    this.#now = now
    this.#base = new Metadata()
    if (user) this.#base.set('offstage-user', user)
    if (traceparent) this.#base.set('traceparent', traceparent)
    if (typeof token === 'function') this.#tokens = tokensOf(token)
    else if (tokenFile) this.#tokens = tokensIn(tokenFile)
    else if (token) this.#base.set('authorization', `Bearer ${token}`)
    this.sendsToken = this.#tokens !== undefined || Boolean(token)
  }

  /** Whether another token may be had than the one that goes along now. */
  get isRenewable(): boolean {
    return this.#tokens !== undefined
  }

  /** From now on calls are refused with this. */
  end(refusal: OffstageError): void {
    this.#end ??= refusal
  }

  /** What goes with a call; at once where it is known. Rejects with TOKEN_UNAVAILABLE, and after its end. */
  metadata(): Metadata | Promise<Metadata> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    if (this.#tokens === undefined) return this.#base
    const held = this.#held
    const nowMs = this.#now()
    if (held !== undefined && nowMs < held.renewAtMs) return held.metadata
    const asked = this.#ask(this.#tokens)
    if (held === undefined || nowMs >= held.endsAtMs) return asked
    asked.catch(() => {
      held.renewAtMs = this.#now() + PAUSE_MS
    })
    return held.metadata
  }

  /**
   * Says that a call was refused for what went along with it; gives what to try it with once more, or undefined where there
   * is nothing else.
   */
  async afterRefusal(refused: Metadata): Promise<Metadata | undefined> {
    if (this.#tokens === undefined) return undefined
    if (this.#held?.metadata === refused) this.#held = undefined
    const next = await this.metadata()
    return next.get('authorization')[0] === refused.get('authorization')[0] ? undefined : next
  }

  /** Whose calls these are, as far as can be told here: what is the same for all calls of a user, and for those of no other. */
  async caller(): Promise<string> {
    const metadata = await this.metadata()
    const textOf = (entry: string) => String(metadata.get(entry)[0] ?? '')
    return userOfToken(textOf('authorization')) ?? textOf('offstage-user')
  }

  #ask(tokens: Tokens): Promise<Metadata> {
    this.#asking ??= this.#take(tokens).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #take(tokens: Tokens): Promise<Metadata> {
    const token = await tokens.next()
    const metadata = this.#base.clone()
    metadata.set('authorization', `Bearer ${token}`)
    const nowMs = this.#now()
    const endsAtMs = endOfToken(token) ?? Number.POSITIVE_INFINITY
    const lifeMs = endsAtMs - nowMs
    const renewAfterMs = Math.min(Math.max(lifeMs - AHEAD_MS_MAX, lifeMs * 0.8), tokens.ageMsMax)
    this.#held = {
      metadata,
      endsAtMs: Math.max(endsAtMs, nowMs + PAUSE_MS),
      renewAtMs: nowMs + Math.max(renewAfterMs, PAUSE_MS),
    }
    return metadata
  }
}

/** Whether a call failed for the token that went along; not where there was none to be had. */
export function isTokenRefused(error: unknown): boolean {
  if (!(error instanceof OffstageError)) return false
  return error.code === status.UNAUTHENTICATED && error.reason !== 'TOKEN_UNAVAILABLE'
}
