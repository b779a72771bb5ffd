/**
 * Tells callers apart by the token they bring, and those who bring none by the certificate they show, where that is configured.
 *
 * 1. A token is verified once, for all calls that come with it; from then on who calls is known without waiting.
 * 2. It is believed no longer than it says, and looked at again after a minute, so that a key which its issuer has withdrawn
 *    counts no more than that much longer than in the set of keys. Neither goes by a clock that can be put back.
 * 3. What was found is kept under a digest, so that tokens do not lie about in memory, and for a bounded number of them.
 */
import { hash } from 'node:crypto'
import type { Metadata } from '@grpc/grpc-js'
import { decodeJwt } from 'jose'
import { LRUCache } from 'lru-cache'
import { Refusal } from '../../grpc/refusal.ts'
import type { Logger } from '../../telemetry/mod.ts'
import { oncePerMinute } from '../../telemetry/once-per-minute.ts'
import type { Actor } from '../actor.ts'
import type { Authenticate } from '../authenticate.ts'
import { ATTEMPT_ISSUER, type CertificateGrant, type IssuerConfig } from './identity-schema.ts'
import { createIssuer, type VerifyToken, type VerifyTokenOf } from './issuer.ts'
import { refusalFromJose, tokenRefusal } from './token-refusals.ts'

export interface TokenAuthenticateOptions {
  readonly issuers: readonly IssuerConfig[]
  /** Who is taken without a token, by the certificate they show. */
  readonly certificates?: readonly CertificateGrant[]
  /** Verifies the tokens that the scheduler makes for attempts; `holdsForMs` says how long its answer holds. Absent: none is taken. */
  readonly attempts?: VerifyToken
  readonly log: Logger
  /** Tokens whose outcome is kept. Default 10,000. */
  readonly keptMax?: number
  /** Default: a clock that is never put back. */
  readonly now?: () => number
}

interface Kept {
  readonly actor: Actor
  readonly untilMs: number
}

const LOOK_AGAIN_MS = 60_000
/** Longer than any issuer's, shorter than the headers of a call may be. */
const CHARACTERS_MAX = 16_384

export function createTokenAuthenticate(options: TokenAuthenticateOptions): Authenticate {
  const { issuers, certificates = [], attempts, log, keptMax = 10_000 } = options
  const { now = () => performance.now() } = options
  const verifiers = new Map<string, VerifyTokenOf>(
    issuers.map((each) => [each.issuer, createIssuer(each, log)]),
  )
  if (attempts !== undefined) verifiers.set(ATTEMPT_ISSUER, attempts)
  const kept = new LRUCache<string, Kept>({ max: keptMax })
  const underWay = new Map<string, Promise<Actor>>()

  const tell = oncePerMinute<[Refusal]>((address, more, { reason, cause }) =>
    log.debug({ reason, err: cause, address, more }, 'a token is not taken'),
  )

  async function verify(authorization: string, digest: string, peer: string): Promise<Actor> {
    try {
      return await verifyBearer(authorization, digest, peer)
    } catch (error) {
      // What exactly is wrong is for those who run the service; a flood of bad tokens fills no log.
      if (error instanceof Refusal) tell(hostOf(peer), error)
      throw error
    }
  }

  async function verifyBearer(authorization: string, digest: string, peer: string): Promise<Actor> {
    const token = tokenIn(authorization)
    const verifier = verifiers.get(issuerOf(token))
    if (verifier === undefined) throw tokenRefusal('TOKEN_INVALID', new Error('unknown issuer'))
    const askedAtMs = now()
    const { actor, holdsForMs } = await verifier(token, peer)
    kept.set(digest, { actor, untilMs: askedAtMs + Math.min(holdsForMs, LOOK_AGAIN_MS) })
    return actor
  }

  const byCertificate = new Map(certificates.map((grant) => [grant.subject, actorOf(grant)]))

  return (metadata, peer, shown) => {
    if (byCertificate.size > 0 && metadata.get('authorization').length === 0) {
      const names = shown?.certificateNames() ?? []
      const known = names.map((name) => byCertificate.get(name)).find((actor) => actor)
      if (known !== undefined) return known
    }
    const authorization = authorizationOf(metadata)
    const digest = hash('sha256', authorization, 'base64')
    const known = kept.get(digest)
    if (known !== undefined && now() < known.untilMs) return known.actor
    const running = underWay.get(digest)
    if (running !== undefined) return running
    const verified = verify(authorization, digest, peer).finally(() => underWay.delete(digest))
    underWay.set(digest, verified)
    return verified
  }
}

/** Of `host:port`. */
function hostOf(peer: string): string {
  return peer.slice(0, Math.max(0, peer.lastIndexOf(':'))) || peer
}

/** Apart from users of tokens: who signs certificates says nothing of those. */
function actorOf({ subject, roles, namespaces }: CertificateGrant): Actor {
  return { user: `certificate:${subject}`, roles, namespaces }
}

/** Asked for every call: what it holds is looked at only where it is not known yet. */
function authorizationOf(metadata: Metadata): string {
  const values = metadata.get('authorization')
  if (values.length === 0) throw tokenRefusal('TOKEN_MISSING')
  if (values.length > 1) throw twoTokens()
  const [value] = values
  if (typeof value !== 'string' || value.length > CHARACTERS_MAX) {
    throw tokenRefusal('TOKEN_INVALID', new Error('not one bearer token'))
  }
  return value
}

/** Which of them counts is not for this side to guess: a proxy before it may have looked at the other. */
function twoTokens(): Refusal {
  const message = 'the call brings two `authorization` entries: send one'
  return new Refusal({ reason: 'TOKEN_INVALID', message })
}

function tokenIn(authorization: string): string {
  const [, token] = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization) ?? []
  if (token === undefined) throw tokenRefusal('TOKEN_INVALID', new Error('not a bearer token'))
  return token
}

/** Says only who is to verify it: nothing here is believed. */
function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? ''
  } catch (error) {
    throw refusalFromJose(error)
  }
}
