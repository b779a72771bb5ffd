import { fits } from '@offstage/kit/auth'
import type { Refusal } from '@offstage/kit/grpc'
import type { MethodTerms } from '../domain/method-definition.ts'
import type { Methods } from '../executors/methods.ts'
import { methodForegroundOnly, methodNotStartable } from './refusals.ts'

type Starter = { readonly user: string; readonly roles: readonly string[] }

/** Whether a method lets the actor start it (row J5). Most let everybody. */
export function mayStart({ user, roles }: Starter, { startableBy }: MethodTerms): boolean {
  if (startableBy === undefined || roles.includes('admin')) return true
  return (
    roles.some((role) => startableBy.roles.includes(role)) ||
    startableBy.users.some((pattern) => fits(pattern, user))
  )
}

/**
 * Why none of the method's jobs is started anew: who may not start it any more starts no job of it anew, though who looks after the jobs
 * of others, of no one `owner`, does so for their owners; and what it does in the background it cannot do.
 */
export function refusesAnew(
  by: Starter,
  owner: string | undefined,
  definition: Awaited<ReturnType<Methods['find']>>,
): Refusal | undefined {
  if (definition === undefined || 'unreadable' in definition) return undefined
  const { name, startableBy, foregroundOnly } = definition
  if (owner !== undefined && !mayStart(by, definition)) {
    return methodNotStartable(name, startableBy?.roles ?? [])
  }
  return foregroundOnly ? methodForegroundOnly(name) : undefined
}
