import { type Actor, actingFor, mayEnter } from '@offstage/kit/auth'
import { type Namespace, parseNamespace, type ScopeId } from '../domain/identifier.ts'
import { NAMESPACE_DEFAULT, quotaPassed } from '../domain/limits.ts'
import type { PutHeader } from '../domain/temp-value.ts'
import type { StorageParts } from '../ports/parts.ts'
import {
  namespaceNotFound,
  overQuota,
  ownerNotAllowed,
  refusalFromWrite,
  scopeNotFound,
  valueNotFound,
} from '../refusals.ts'
import { type Caller, noteAct } from './note-act.ts'
import { reachOf } from './reach-of.ts'

/** Where a value will be and whose. */
export interface Place {
  readonly namespace: Namespace
  readonly owner: string
}

/** Looks before the bytes come whether they may; the commit looks again at what can change meanwhile. */
export async function placeOf(
  storage: StorageParts,
  caller: Caller,
  header: PutHeader,
): Promise<Place> {
  const acting = actingFor(caller, 'values.write', header.owner)
  if (acting === undefined) throw ownerNotAllowed(header.owner ?? '')
  const place = await namedPlace(storage, acting, header)
  if (header.scope !== undefined) await refuseForeignScope(storage, acting, header.scope, place)
  const usage = await storage.values.usage(place.namespace, place.owner)
  const ownerBytes = usage.ownerBytes + (header.address === undefined ? (header.size ?? 0) : 0)
  const quota = quotaPassed({ ...usage, ownerBytes }, storage.quotas)
  if (quota !== undefined && header.address === undefined) throw overQuota(quota)
  await noteAct(storage, caller, { ...place, target: header.address ?? header.scope ?? '' })
  return place
}

async function namedPlace(storage: StorageParts, acting: Actor, header: PutHeader): Promise<Place> {
  const { address } = header
  if (address === undefined) {
    return { namespace: enteredNamespace(acting, header.namespace), owner: acting.user }
  }
  const found = await storage.values.find(address, reachOf(acting, 'values.write'))
  if (found === undefined) throw valueNotFound(address)
  if (header.namespace !== undefined && header.namespace !== found.namespace) {
    throw valueNotFound(address)
  }
  return { namespace: found.namespace, owner: found.owner }
}

/** The namespace named, or the default one, if the actor may enter it. */
export function enteredNamespace(actor: Actor, named: Namespace | undefined): Namespace {
  const namespace = named ?? parseNamespace(NAMESPACE_DEFAULT)
  if (namespace === undefined || !mayEnter(actor, namespace)) {
    throw namespaceNotFound(named ?? NAMESPACE_DEFAULT)
  }
  return namespace
}

/** A closed scope passes here: the commit tells it from one that never was. */
export async function refuseForeignScope(
  storage: StorageParts,
  actor: Actor,
  scope: ScopeId,
  place: { namespace: Namespace },
): Promise<void> {
  const found = await storage.scopes.find(scope, reachOf(actor, 'values.write'))
  if (found?.namespace !== place.namespace) throw scopeNotFound(scope)
  if (found.state === 'closed') throw refusalFromWrite({ kind: 'scope-closed' }, { scope })
}
