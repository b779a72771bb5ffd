import type { Actor } from '../actor.ts'

/** What a token was found to be. */
export interface VerifiedToken {
  readonly actor: Actor
  /** Until when this may be believed without looking again, in milliseconds since 1970. */
  readonly endsAtMs: number
}
