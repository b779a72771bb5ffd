import { fits } from '@offstage/kit/auth'
import type { MethodTerms } from '../domain/method-definition.ts'

type Starter = { readonly user: string; readonly roles: readonly string[] }

/** Whether a method lets the actor start it (row J5). Most let everybody. */
export function mayStart({ user, roles }: Starter, { startableBy }: MethodTerms): boolean {
  if (startableBy === undefined || roles.includes('admin')) return true
  return (
    roles.some((role) => startableBy.roles.includes(role)) ||
    startableBy.users.some((pattern) => fits(pattern, user))
  )
}
