import { RIGHTS, type Right, type Role, rolesWith } from './rights.ts'

/** One attempt of one job. */
export interface AttemptRef {
  readonly jobId: string
  /** From 1. */
  readonly attempt: number
}

/** Who is acting: the one idea of a caller that all services share. */
export interface Actor {
  /** Stable id of the user, the `sub` of a token. */
  readonly user: string
  readonly roles: readonly Role[]
  /** The namespaces whose things exist for this actor. */
  readonly namespaces: readonly string[] | 'all'
  /** What an executor may attach with. Undefined: with everything. */
  readonly attach?: AttachGrant
  /** The attempt in whose name its handler acts; absent for everybody else. */
  readonly attempt?: AttemptRef
}

/** What an executor may attach with. */
export interface AttachGrant {
  /** Methods it may announce; `*` stands for any characters. */
  readonly methods: readonly string[]
  /** Pools it may serve, `default` for that of jobs that name none; `*` as above. Undefined: any. */
  readonly pools?: readonly string[]
}

/** Something that belongs to a user of a namespace. */
export interface Owned {
  readonly namespace: string
  readonly owner: string
}

/** Whether the actor has the right at all, be it on their own things only. */
export function may(actor: Actor, right: Right): boolean {
  return hasOneOf(actor, rolesWith(right))
}

/** Whether the actor has the right on what belongs to others, in the namespaces they may enter. */
export function mayForOthers(actor: Actor, right: Right): boolean {
  const { others }: { readonly others: readonly Role[] } = RIGHTS[right]
  return actor.roles.includes('admin') || hasOneOf(actor, others)
}

export function mayEnter(actor: Actor, namespace: string): boolean {
  return actor.namespaces === 'all' || actor.namespaces.includes(namespace)
}

/** Whether the thing exists for this actor when they come with this right (rows J6, S4). */
export function mayTouch(actor: Actor, right: Right, { namespace, owner }: Owned): boolean {
  const theirs = actor.user === owner ? may(actor, right) : mayForOthers(actor, right)
  return theirs && mayEnter(actor, namespace)
}

/**
 * The actor who speaks for `owner`: one with that user's rights and no more, so that a job cannot reach what its caller could
 * not. Undefined where this actor may not act for them.
 */
export function actingFor(
  actor: Actor,
  right: Right,
  owner: string | undefined,
): Actor | undefined {
  if (owner === undefined || owner === actor.user) return actor
  return mayForOthers(actor, right) ? { ...actor, user: owner, roles: ['user'] } : undefined
}

function hasOneOf(actor: Actor, roles: readonly Role[]): boolean {
  return actor.roles.some((role) => roles.includes(role))
}
