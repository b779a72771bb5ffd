import type { JWTPayload } from 'jose'
import type { Actor } from '../actor.ts'
import { fits } from '../pattern.ts'
import { ROLES, type Role } from '../rights.ts'
import { isUserName } from '../user-name.ts'
import type { IssuerConfig } from './identity-schema.ts'
import { tokenRefusal } from './token-refusals.ts'

/** Who a verified token speaks for. What the first fitting grant says stands in place of the claims. */
export function actorFromClaims(claims: JWTPayload, issuer: IssuerConfig): Actor {
  // Issuers say what they like: nothing but a text is a user.
  const { sub: user }: { readonly sub?: unknown } = claims
  if (typeof user !== 'string' || !isUserName(user)) throw tokenRefusal('TOKEN_INVALID')
  const grant = issuer.grants.find(({ subject }) => fits(subject, user))
  const roles = grant?.roles ?? rolesIn(wordsIn(claims, issuer.rolesClaim))
  const namespaces = grant?.namespaces ?? namespacesIn(wordsIn(claims, issuer.namespacesClaim))
  if (namespaces.length === 0) throw tokenRefusal('TOKEN_NO_NAMESPACE')
  const { attach } = grant ?? {}
  return attach === undefined ? { user, roles, namespaces } : { user, roles, namespaces, attach }
}

/** Issuers name roles of other systems too. */
function rolesIn(words: readonly string[]): readonly Role[] {
  return ROLES.filter((role) => words.includes(role))
}

function namespacesIn(words: readonly string[]): Actor['namespaces'] {
  return words.includes('*') ? 'all' : words
}

/** The texts of a claim: a list, or words with spaces between as in `scope`. Anything else is none. */
function wordsIn(claims: JWTPayload, name: string): readonly string[] {
  const value = claimOf(claims, name)
  if (typeof value === 'string') return value.split(' ').filter((word) => word !== '')
  return Array.isArray(value) ? value.filter((word) => typeof word === 'string') : []
}

/** Names of claims may be urls, so a name as a whole goes before one that leads into an object. */
function claimOf(claims: JWTPayload, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}
