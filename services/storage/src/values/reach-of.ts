import { type Actor, mayForOthers, type Right } from '@offstage/kit/auth'
import type { Reach } from '../domain/reach.ts'

/** Whose things exist for an actor who comes with this right (rows J6, S4); that they have it on their own the door has seen. */
export function reachOf(actor: Actor, right: Right): Reach {
  return {
    owner: mayForOthers(actor, right) ? undefined : actor.user,
    namespaces: actor.namespaces === 'all' ? undefined : actor.namespaces,
  }
}
