/** What a token says that the scheduler makes for one attempt of one job. */
import type { JWTPayload } from 'jose'
import type { Actor, AttemptRef } from '../actor.ts'
import { ROLES, type Role } from '../rights.ts'

export const ATTEMPT_AUDIENCE = 'offstage'
/** The `typ` of its header: no other token is taken for one, nor it for another. */
export const ATTEMPT_TYPE = 'attempt+jwt'
export const ATTEMPT_ALGORITHM = 'EdDSA'

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
