import { writerIdOf } from '../domain/blob-id.ts'
import type { Body, PutCommand } from '../domain/put.ts'
import type { PutHeader } from '../domain/temp-value.ts'
import { newAddress, newVersion } from '../new-ids.ts'
import type { StorageParts } from '../ports/parts.ts'
import type { Place } from './place.ts'

/** Makes the value visible. A fault of the database's connection leaves open whether it is, so the blob stays. */
export async function commitPut(
  storage: StorageParts,
  put: { header: PutHeader; place: Place; body: Body } & Pick<PutCommand, 'request' | 'upload'>,
): ReturnType<StorageParts['values']['put']> {
  const { address, scope, timeToLiveMs, forJob, contentType } = put.header
  const stored = await storage.values.put({
    ...put.place,
    ...{ address, scope, timeToLiveMs, forJob, contentType },
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
