import { type Actor, mayForOthers } from '@offstage/kit/auth'
import { pageTokenAt, pageTokenInvalid, positionFrom } from '@offstage/kit/grpc'
import type { Address, Namespace, ScopeId } from '../domain/identifier.ts'
import { PAGE_SIZE_DEFAULT } from '../domain/limits.ts'
import { cursorFrom, positionOf } from '../domain/page-cursor.ts'
import type { TempValue } from '../domain/temp-value.ts'
import { newAddress } from '../new-ids.ts'
import type { StorageParts } from '../ports/parts.ts'
import { refusalFromWrite, requestIdReused } from '../refusals.ts'
import { type Caller, noteAct } from './note-act.ts'
import { enteredNamespace, refuseForeignScope } from './place.ts'
import { reachOf } from './reach-of.ts'

export interface ReserveRequest {
  readonly namespace: Namespace | undefined
  readonly scope: ScopeId | undefined
  readonly timeToLiveMs: number | undefined
  readonly requestId: string | undefined
}

/** Reserves an address before its value exists (row S3). */
export async function reserveAddress(
  storage: StorageParts,
  actor: Actor,
  request: ReserveRequest,
): Promise<TempValue> {
  const namespace = enteredNamespace(actor, request.namespace)
  const { scope, timeToLiveMs, requestId } = request
  if (scope !== undefined) await refuseForeignScope(storage, actor, scope, { namespace })
  const address = newAddress()
  const owner = actor.user
  const command = { address, namespace, owner, scope, timeToLiveMs, requestId }
  const reserved = await storage.values.reserve(command)
  if (reserved.kind !== 'reserved' && reserved.kind !== 'stored') {
    throw refusalFromWrite(reserved, { scope })
  }
  if (reserved.scope !== scope && requestId !== undefined) {
    throw requestIdReused(requestId, 'reservation', 'request_id')
  }
  if (reserved.address === address) storage.hints.value('reserved', reserved)
  return reserved
}

/** Deletes a value and its address; whether there was one the actor can see. */
export async function deleteValue(
  storage: StorageParts,
  caller: Caller,
  address: Address,
): Promise<boolean> {
  const value = await storage.values.find(address, reachOf(caller, 'values.delete'))
  if (value === undefined) return false
  await noteAct(storage, caller, { ...value, target: address })
  const deleted = await storage.values.delete(address)
  if (deleted) storage.hints.value('deleted', value)
  storage.garbageMade()
  return deleted
}

export interface ListRequest {
  readonly namespace: Namespace | undefined
  readonly scope: ScopeId | undefined
  /** Undefined: 50. */
  readonly pageSize: number | undefined
  /** Empty: the first page. */
  readonly pageToken: string
}

/** A page of what the actor may see, newest first. */
export async function listValues(
  storage: StorageParts,
  actor: Actor,
  request: ListRequest,
): Promise<{ values: TempValue[]; nextPageToken: string }> {
  const { scope, pageToken, pageSize = PAGE_SIZE_DEFAULT } = request
  const namespace = enteredNamespace(actor, request.namespace)
  const owner = mayForOthers(actor, 'values.read') ? undefined : actor.user
  const listing = ['values', namespace, scope, owner]
  const position = positionFrom(pageToken, listing)
  const after = position === undefined ? undefined : cursorFrom(position)
  if (position !== undefined && after === undefined) throw pageTokenInvalid()
  const page = await storage.values.list({ namespace, owner, scope, after, limit: pageSize })
  const nextPageToken = page.next === undefined ? '' : pageTokenAt(positionOf(page.next), listing)
  return { values: page.values, nextPageToken }
}
