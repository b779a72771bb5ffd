import { type Actor, mayForOthers, mayTouch, type Owned } from '@offstage/kit/auth'
import type { Sight } from '../domain/hidden-payload.ts'

/** How much of a job exists for the actor (rows J6, J23). */
export function sightOf(actor: Actor, job: Owned): Sight {
  if (!mayTouch(actor, 'jobs.read', job)) return 'nothing'
  return mayTouch(actor, 'jobs.payload', job) ? 'payload' : 'job'
}

/** Whose jobs exist for the actor; undefined: everybody's. Of others nothing is to be read, which would take a time that can be measured. */
export function ownerSeen(actor: Actor): string | undefined {
  return mayForOthers(actor, 'jobs.read') ? undefined : actor.user
}
