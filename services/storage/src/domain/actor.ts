import type { Namespace } from './identifier.ts'

/** Who acts on temp storage. */
export interface Actor {
  readonly user: string
  /** Administrators and services touch what others own, and may name another owner (row S4). */
  readonly forOthers: boolean
  readonly namespaces: readonly string[] | 'all'
}

export function mayEnter(actor: Actor, namespace: Namespace): boolean {
  return actor.namespaces === 'all' || actor.namespaces.includes(namespace)
}

/** Whether the thing exists for this actor at all (row S4). */
export function mayTouch(actor: Actor, thing: { namespace: Namespace; owner: string }): boolean {
  return (actor.forOthers || actor.user === thing.owner) && mayEnter(actor, thing.namespace)
}

/**
 * The actor a put speaks for: a service that names an owner has that owner's rights and no more, so
 * that a job cannot reach what its caller could not.
 */
export function actingFor(actor: Actor, owner: string | undefined): Actor | undefined {
  if (owner === undefined || owner === actor.user) return actor
  return actor.forOthers ? { ...actor, user: owner, forOthers: false } : undefined
}
