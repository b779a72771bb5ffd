import type { KeyObject } from 'node:crypto'
import { type JWTPayload, SignJWT } from 'jose'
import { ATTEMPT_ISSUER } from '../tokens/mod.ts'
import {
  ATTEMPT_ALGORITHM,
  ATTEMPT_AUDIENCE,
  ATTEMPT_TYPE,
  type AttemptGrant,
  claimsOf,
} from './attempt-claims.ts'

export interface SigningTerms {
  readonly keyId: string
  readonly privateKey: KeyObject
  readonly lifeMs: number
}

export interface SignedToken {
  readonly token: string
  readonly expireTime: Date
}

export function signAttemptToken(grant: AttemptGrant, terms: SigningTerms): Promise<SignedToken> {
  return sign(claimsOf(grant), terms)
}

async function sign(
  claims: JWTPayload,
  { keyId, privateKey, lifeMs }: SigningTerms,
): Promise<SignedToken> {
  const nowS = Math.floor(Date.now() / 1_000)
  const expS = nowS + Math.ceil(lifeMs / 1_000)
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: ATTEMPT_ALGORITHM, typ: ATTEMPT_TYPE, kid: keyId })
    .setIssuer(ATTEMPT_ISSUER)
    .setAudience(ATTEMPT_AUDIENCE)
    .setIssuedAt(nowS)
    .setExpirationTime(expS)
    .sign(privateKey)
  return { token, expireTime: new Date(expS * 1_000) }
}
