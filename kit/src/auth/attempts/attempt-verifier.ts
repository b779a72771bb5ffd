/**
 * Verifies the tokens that the scheduler makes for attempts: by their signature, once in a while, and by whether the attempt goes on,
 * again and again.
 *
 * 1. What was found holds for `keptMs` and no longer: whoever made the answer is asked anew after it, so that a token is refused
 *    that long after its attempt has ended at the latest.
 * 2. Where that cannot be asked, no token is taken.
 */
import { hash, type KeyObject } from 'node:crypto'
import { decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { Refusal } from '../../grpc/refusal.ts'
import type { AttemptRef } from '../actor.ts'
import { ATTEMPT_ISSUER, refusalFromJose, tokenRefusal, type VerifyToken } from '../tokens/mod.ts'
import {
  ATTEMPT_ALGORITHM,
  ATTEMPT_AUDIENCE,
  ATTEMPT_TYPE,
  type AttemptActor,
  actorFromClaims,
} from './attempt-claims.ts'

export interface AttemptVerifierOptions {
  /** The public key of this name; undefined where there is none. May show the token to whoever knows the keys. */
  findKey(keyId: string, token: string): Promise<KeyObject | undefined>
  /** Whether the attempt runs, or waits, and is the newest of its job. */
  goesOn(attempt: AttemptRef, token: string): Promise<boolean>
  /** For how long an answer holds. */
  readonly keptMs: number
  /** Tokens whose signatures are not looked at again. Default 10,000. */
  readonly tokensMax?: number
  /** Default: a clock that is never put back. */
  readonly now?: () => number
  /** What tokens' ends are held against. Default: that of the machine. */
  readonly date?: () => Date
}

/** A signature is looked at again after so long: its key may have been withdrawn. */
const LOOK_AGAIN_MS = 60_000
/** Clocks of services may differ by so much. */
const TOLERANCE_MS = 30_000

interface Signed {
  readonly actor: AttemptActor
  /** By the clock that is never put back. */
  readonly endsAtMs: number
  readonly knownUntilMs: number
}

export function createAttemptVerifier(options: AttemptVerifierOptions): VerifyToken {
  const { findKey, goesOn, keptMs, tokensMax = 10_000 } = options
  const { now = () => performance.now(), date = () => new Date() } = options
  const signed = new LRUCache<string, Signed>({ max: tokensMax })

  async function signedBy(token: string): Promise<Signed> {
    const digest = hash('sha256', token, 'base64')
    const known = signed.get(digest)
    if (known !== undefined && now() < known.knownUntilMs) return known
    const key = await keyOf(token, findKey)
    const currentDate = date()
    const atMs = now()
    const payload = await verified(token, key, { typ: ATTEMPT_TYPE, currentDate })
    const actor = actorFromClaims(payload)
    if (actor === undefined) throw tokenRefusal('TOKEN_INVALID', new Error('claims are missing'))
    const leftMs = (payload.exp ?? 0) * 1_000 + TOLERANCE_MS - currentDate.getTime()
    const knownUntilMs = atMs + Math.min(leftMs, LOOK_AGAIN_MS)
    const found = { actor, endsAtMs: atMs + leftMs, knownUntilMs }
    signed.set(digest, found)
    return found
  }

  return async (token) => {
    const { actor, endsAtMs } = await signedBy(token)
    const askedAtMs = now()
    if (!(await goesOn(actor.attempt, token))) throw attemptTokenEnded()
    return { actor, holdsForMs: Math.min(endsAtMs - askedAtMs, keptMs) }
  }
}

export function attemptTokenEnded(): Refusal {
  return new Refusal({
    reason: 'ATTEMPT_TOKEN_ENDED',
    message:
      'the attempt this token is for has ended, or another one has taken its place: nothing more can be done in its name',
  })
}

async function keyOf(token: string, findKey: AttemptVerifierOptions['findKey']) {
  const { kid, alg, typ } = headerOf(token)
  if (typeof kid !== 'string' || alg !== ATTEMPT_ALGORITHM || typ !== ATTEMPT_TYPE) {
    throw tokenRefusal('TOKEN_INVALID', new Error('not the header of an attempt token'))
  }
  const key = await findKey(kid, token)
  if (key === undefined) throw tokenRefusal('TOKEN_INVALID', new Error(`unknown key ${kid}`))
  return key
}

function headerOf(token: string) {
  try {
    return decodeProtectedHeader(token)
  } catch (error) {
    throw refusalFromJose(error)
  }
}

async function verified(
  token: string,
  key: KeyObject,
  { typ, currentDate }: { readonly typ: string; readonly currentDate: Date },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer: ATTEMPT_ISSUER,
      audience: ATTEMPT_AUDIENCE,
      typ,
      algorithms: [ATTEMPT_ALGORITHM],
      requiredClaims: ['exp'],
      clockTolerance: TOLERANCE_MS / 1_000,
      currentDate,
    })
    return payload
  } catch (error) {
    throw refusalFromJose(error)
  }
}
