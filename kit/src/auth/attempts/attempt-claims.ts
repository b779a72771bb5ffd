/** What a token says that the scheduler makes for one attempt of one job. */
import type { JWTPayload } from 'jose'
import type { Actor, AttemptRef } from '../actor.ts'
import { ROLES, type Role } from '../rights.ts'

export const ATTEMPT_AUDIENCE = 'offstage'
/** The `typ` of its header: no other token is taken for one, nor it for another. */
export const ATTEMPT_TYPE = 'attempt+jwt'
export const ATTEMPT_ALGORITHM = 'EdDSA'

/** The `typ` of one by which the executor deletes what a job leaves behind. */
export const DISCARD_TYPE = 'discard+jwt'

/** One value that nobody needs any more. */
export interface DiscardGrant {
  readonly user: string
  readonly namespace: string
  readonly address: string
}

/** For whom a token is made. */
export interface AttemptGrant extends AttemptRef {
  /** The job's owner. */
  readonly user: string
  readonly namespace: string
  readonly roles: readonly Role[]
}

export type AttemptActor = Actor & { readonly attempt: AttemptRef }

/** All that a token says of its attempt, but for who made it and when. */
export function claimsOf({ user, namespace, jobId, attempt, roles }: AttemptGrant): JWTPayload {
  return { sub: user, namespace, job_id: jobId, attempt, roles: [...roles] }
}

export function discardClaimsOf({ user, namespace, address }: DiscardGrant): JWTPayload {
  return { sub: user, namespace, address }
}

/** Who acts by a verified token for what is discarded: nobody who could do anything else. */
export function discarderFromClaims(claims: JWTPayload): Actor | undefined {
  const { sub: user, namespace, address: discards } = claims
  if (typeof user !== 'string' || typeof namespace !== 'string') return undefined
  if (typeof discards !== 'string' || discards === '') return undefined
  return { user, roles: ['discarder'], namespaces: [namespace], discards }
}

/** Who acts by a verified token; undefined where it does not say so. */
export function actorFromClaims(claims: JWTPayload): AttemptActor | undefined {
  const { sub: user, namespace, job_id: jobId, attempt, roles } = claims
  if (typeof user !== 'string' || typeof namespace !== 'string' || typeof jobId !== 'string') {
    return undefined
  }
  if (typeof attempt !== 'number' || !Array.isArray(roles)) return undefined
  return {
    user,
    roles: ROLES.filter((role) => roles.includes(role)),
    namespaces: [namespace],
    attempt: { jobId, attempt },
  }
}
