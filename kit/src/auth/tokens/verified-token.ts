import type { Actor } from '../actor.ts'

/** What a token was found to be. */
export interface VerifiedToken {
  readonly actor: Actor
  /** For how long from the question on this may be believed without looking again: a time, since clocks are put right meanwhile. */
  readonly holdsForMs: number
}
