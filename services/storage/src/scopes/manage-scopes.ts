import type { Actor } from '@offstage/kit/auth'
import type { Namespace, ScopeId } from '../domain/identifier.ts'
import { SCOPE_LEASE_MS_DEFAULT } from '../domain/limits.ts'
import { newScopeId } from '../new-ids.ts'
import type { StorageParts } from '../ports/parts.ts'
import { refusalFromWrite, scopeNotFound } from '../refusals.ts'
import { type Caller, noteAct } from '../values/note-act.ts'
import { enteredNamespace } from '../values/place.ts'
import { reachOf } from '../values/reach-of.ts'

const DELETE_BATCH = 500

export interface OpenScopeRequest {
  readonly namespace: Namespace | undefined
  readonly leaseMs: number | undefined
  readonly displayName: string
  readonly requestId: string | undefined
}

/** Opens a scope: values put into it live until it is closed or its lease runs out (row S2). */
export async function openScope(
  storage: StorageParts,
  actor: Actor,
  request: OpenScopeRequest,
): Promise<{ id: ScopeId; leaseMs: number }> {
  const namespace = enteredNamespace(actor, request.namespace)
  const { displayName, leaseMs = SCOPE_LEASE_MS_DEFAULT, requestId } = request
  const scope = { id: newScopeId(), namespace, owner: actor.user, displayName, leaseMs, requestId }
  const opened = await storage.scopes.open(scope)
  if ('kind' in opened) throw refusalFromWrite(opened, {})
  return opened
}

/** Renews the lease; resolves to its new end. */
export async function keepScopeAlive(
  storage: StorageParts,
  actor: Actor,
  id: ScopeId,
): Promise<Date> {
  const scope = await storage.scopes.find(id, reachOf(actor, 'values.write'))
  if (scope === undefined) throw scopeNotFound(id)
  const expireTime = await storage.scopes.keepAlive(id)
  if (expireTime === undefined) throw scopeNotFound(id)
  return expireTime
}

/**
 * Closes a scope and deletes its values; resolves to how many. Its values are out of sight at once; a
 * process that dies here leaves the deleting to the sweep.
 */
export async function closeScope(
  storage: StorageParts,
  caller: Caller,
  id: ScopeId,
): Promise<number> {
  const scope = await storage.scopes.find(id, reachOf(caller, 'values.write'))
  if (scope === undefined) return 0
  await noteAct(storage, caller, { ...scope, target: id })
  let count = 0
  let gone = await storage.scopes.close(id, DELETE_BATCH)
  do {
    for (const value of gone) storage.hints.value('deleted', value)
    count += gone.length
    gone = await storage.scopes.deleteValues(id, DELETE_BATCH)
  } while (gone.length > 0)
  storage.garbageMade()
  return count
}
