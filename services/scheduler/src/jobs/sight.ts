import { type Actor, mayTouch, type Owned } from '@offstage/kit/auth'
import type { Sight } from '../domain/hidden-payload.ts'

/** How much of a job exists for the actor (rows J6, J23). */
export function sightOf(actor: Actor, job: Owned): Sight {
  if (!mayTouch(actor, 'jobs.read', job)) return 'nothing'
  return mayTouch(actor, 'jobs.payload', job) ? 'payload' : 'job'
}
