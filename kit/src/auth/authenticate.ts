import type { Metadata } from '@grpc/grpc-js'
import { LIMITS } from '@offstage/proto/limits'
import { Refusal } from '../grpc/refusal.ts'
import type { Actor } from './actor.ts'
import type { Shown } from './certificate-names.ts'
import { isUserName } from './user-name.ts'

/**
 * Establishes who is calling, before any handler sees the request. Throws a Refusal with reason
 * UNAUTHENTICATED to turn the caller away. Plain return values keep the hot path free of awaits.
 */
export type Authenticate = (
  metadata: Metadata,
  peer: string,
  shown?: Shown,
) => Actor | Promise<Actor>

const DEVELOPER = developerNamed('dev')

/**
 * Believes whoever calls: the user is the metadata entry `offstage-user`, or `dev`, and may do
 * everything. For development on a loopback address only.
 */
export function developmentAuthenticate(metadata: Metadata): Actor {
  const user = metadata.get('offstage-user')[0]
  if (user === undefined) return DEVELOPER
  if (!isUserName(String(user))) throw userNameInvalid()
  return developerNamed(String(user))
}

function userNameInvalid(): Refusal {
  const field = 'offstage-user'
  const description = `must be 1 to ${LIMITS.ownerCharactersMax} characters, none of them a control or format character, without blanks at its ends`
  const message = `${field} ${description}`
  return new Refusal({ reason: 'INVALID_FIELD', message, violations: [{ field, description }] })
}

/** As {@link developmentAuthenticate}; tells of the first token that comes along, which nobody reads. */
export function developmentAuthenticateTelling(onToken: () => void): Authenticate {
  let told = false
  return (metadata) => {
    if (!told && metadata.get('authorization').length > 0) {
      told = true
      onToken()
    }
    return developmentAuthenticate(metadata)
  }
}

function developerNamed(user: string): Actor {
  return { user, roles: ['admin'], namespaces: 'all' }
}
