import { type Actor, actingFor, mayEnter, mayTouch } from '@offstage/kit/auth'
import { writerIdOf } from '../domain/blob-id.ts'
import { type Namespace, parseNamespace, type ScopeId } from '../domain/identifier.ts'
import { NAMESPACE_DEFAULT, quotaPassed } from '../domain/limits.ts'
import type { PutHeader, PutPart, StoredValue } from '../domain/temp-value.ts'
import { newAddress, newVersion } from '../new-ids.ts'
import type { Body, PutCommand, Storage } from '../ports.ts'
import {
  namespaceNotFound,
  overQuota,
  ownerNotAllowed,
  refusalFromWrite,
  scopeNotFound,
  valueNotFound,
} from '../refusals.ts'
import { resumeUpload } from '../uploads/resume-upload.ts'
import { openPut, type PutBody } from './put-parts.ts'
import { receiveBody } from './receive-body.ts'
import { findRepeated, refuseOther, requestOf } from './repeated-put.ts'

/** Stores a value from its parts (row S1); resolves once it can be seen. */
export async function putValue(
  storage: Storage,
  actor: Actor,
  parts: AsyncIterable<PutPart>,
): Promise<StoredValue> {
  const { opening, body } = await openPut(parts)
  if (opening.kind === 'resume') return resumeUpload(storage, actor, opening.header, body)
  return putNew(storage, actor, opening.header, body)
}

/**
 * What refuses a put may refuse its repeat though the put is done: its address is gone by now, say, or
 * the quota used up. So it is before a refusal, and only then, that a repeat is looked for.
 */
async function putNew(
  storage: Storage,
  actor: Actor,
  header: PutHeader,
  body: PutBody,
): Promise<StoredValue> {
  let place: Place | undefined
  let refusal: unknown
  try {
    place = await placeOf(storage, actor, header)
  } catch (error) {
    refusal = error
    if ((await findRepeated(storage, actor, header)) === undefined) throw error
  }
  const { size, sha256 } = header
  const bounds = { size, sha256, sizeMax: storage.valueBytesMax }
  await using received = await receiveBody(storage, body, bounds)
  if (place !== undefined) {
    const request = requestOf(actor, header)
    const put = { header, place, body: received.body, request, upload: undefined }
    const stored = await commitPut(storage, put)
    if (stored.kind === 'stored') return stored
    refusal = refusalFromWrite(stored, header)
  }
  await received.discard()
  const finished = await findRepeated(storage, actor, header)
  if (finished === undefined) throw refusal
  refuseOther(header, finished, received.body.sha256)
  return finished.value
}

/** Where a value will be and whose. */
export interface Place {
  readonly namespace: Namespace
  readonly owner: string
}

/** Looks before the bytes come whether they may; the commit looks again at what can change meanwhile. */
export async function placeOf(storage: Storage, actor: Actor, header: PutHeader): Promise<Place> {
  const acting = actingFor(actor, 'values.write', header.owner)
  if (acting === undefined) throw ownerNotAllowed(header.owner ?? '')
  const place = await namedPlace(storage, acting, header)
  if (header.scope !== undefined) await refuseForeignScope(storage, acting, header.scope, place)
  const usage = await storage.values.usage(place.namespace, place.owner)
  const ownerBytes = usage.ownerBytes + (header.address === undefined ? (header.size ?? 0) : 0)
  const quota = quotaPassed({ ...usage, ownerBytes }, storage.quotas)
  if (quota !== undefined && header.address === undefined) throw overQuota(quota)
  return place
}

async function namedPlace(storage: Storage, acting: Actor, header: PutHeader): Promise<Place> {
  const { address } = header
  if (address === undefined) {
    return { namespace: enteredNamespace(acting, header.namespace), owner: acting.user }
  }
  const found = await storage.values.find(address)
  if (found === undefined || !mayTouch(acting, 'values.write', found)) throw valueNotFound(address)
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
  storage: Storage,
  actor: Actor,
  scope: ScopeId,
  place: { namespace: Namespace },
): Promise<void> {
  const found = await storage.scopes.find(scope)
  if (found === undefined || !mayTouch(actor, 'values.write', found)) throw scopeNotFound(scope)
  if (found.namespace !== place.namespace) throw scopeNotFound(scope)
  if (found.state === 'closed') throw refusalFromWrite({ kind: 'scope-closed' }, { scope })
}

/** Makes the value visible. A fault of the database's connection leaves open whether it is, so the blob stays. */
export async function commitPut(
  storage: Storage,
  put: { header: PutHeader; place: Place; body: Body } & Pick<PutCommand, 'request' | 'upload'>,
): ReturnType<Storage['values']['put']> {
  const { address, scope, timeToLiveMs, contentType } = put.header
  const stored = await storage.values.put({
    ...put.place,
    ...{ address, scope, timeToLiveMs, contentType },
    newAddress: newAddress(),
    version: newVersion(),
    body: put.body,
    request: put.request,
    upload: put.upload,
  })
  if (stored.kind === 'writer-lost' && put.body.kind === 'blob') {
    storage.writers.forget(writerIdOf(put.body.blobId))
  }
  if (stored.kind !== 'stored') return stored
  storage.hints.value('put', stored)
  if (address !== undefined) storage.garbageMade()
  return stored
}
