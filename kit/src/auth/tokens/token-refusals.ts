/**
 * How callers are told what is wrong with their token. Which key, algorithm or issuer would have done is not said: that is for
 * the log, by way of `cause`.
 */
import type { Reason } from '@offstage/proto/reasons'
import { errors } from 'jose'
import { Refusal } from '../../grpc/refusal.ts'

const TEXTS = {
  TOKEN_MISSING: 'the call brings no token: send one as `authorization: Bearer …` (OFFSTAGE_TOKEN)',
  TOKEN_EXPIRED: 'the token has expired: get a new one',
  TOKEN_NOT_YET_VALID:
    'the token is not valid yet: wait until it is, and compare the clock here with that of its issuer',
  TOKEN_WRONG_AUDIENCE:
    'the token is meant for another service: ask its issuer for one with the audience of this one',
  TOKEN_INVALID:
    'the token is not one that this service takes: get one from an issuer it is configured for',
  TOKEN_NO_NAMESPACE:
    'the token allows no namespace: its issuer must name some in it, or a grant of the service must',
  IDENTITY_UNAVAILABLE:
    'the keys of the issuer of this token cannot be had at the moment: try again later',
} as const satisfies Partial<Record<Reason, string>>

export type TokenReason = keyof typeof TEXTS

const KEYS_RETRY_MS = 1_000

/** `retryAfterMs`: when the keys are looked for again, where that is known. */
export function tokenRefusal(
  reason: TokenReason,
  cause?: unknown,
  retryAfterMs: number = KEYS_RETRY_MS,
): Refusal {
  const retryDelayMs = reason === 'IDENTITY_UNAVAILABLE' ? retryAfterMs : undefined
  return new Refusal({ reason, message: TEXTS[reason], retryDelayMs, cause })
}

/** Whether a token was signed with another key than the one that it names, which no issuer does. */
export function isForged(error: unknown): boolean {
  return error instanceof Refusal && error.cause instanceof errors.JWSSignatureVerificationFailed
}

/** What jose found, as a refusal. Signature and issuer come first there, so a stranger's token is only ever invalid. */
export function refusalFromJose(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof errors.JWTExpired) return tokenRefusal('TOKEN_EXPIRED', error)
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return tokenRefusal('TOKEN_WRONG_AUDIENCE', error)
    const early = error.claim === 'nbf' && error.reason === 'check_failed'
    if (early) return tokenRefusal('TOKEN_NOT_YET_VALID', error)
  }
  return tokenRefusal('TOKEN_INVALID', error)
}
