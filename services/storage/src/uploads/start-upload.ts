import type { Actor } from '@offstage/kit/auth'
import { writerIdOf } from '../domain/blob-id.ts'
import { faultOfBounds } from '../domain/body-check.ts'
import type { UploadId } from '../domain/identifier.ts'
import type { PutHeader } from '../domain/temp-value.ts'
import { newUploadId } from '../new-ids.ts'
import type { StorageParts } from '../ports/parts.ts'
import type { FinishedUpload, Upload } from '../ports/uploads.ts'
import { noRoom, refusalFromWrite, uploadNotFound } from '../refusals.ts'
import type { Caller } from '../values/note-act.ts'
import { placeOf } from '../values/place.ts'
import { reachOf } from '../values/reach-of.ts'
import { refuse } from '../values/receive-body.ts'

/** Begins an upload that can be interrupted and resumed (row S1). */
export async function startUpload(
  storage: StorageParts,
  caller: Caller,
  header: PutHeader,
): Promise<{ id: UploadId; expireTime: Date }> {
  const { blobs, writers, uploads, valueBytesMax, uploadIdleMsMax } = storage
  refuse(faultOfBounds({ ...header, sizeMax: valueBytesMax }))
  const place = await placeOf(storage, caller, header)
  if (header.size !== undefined && header.size > (await blobs.room())) throw noRoom(header.size)
  await using writer = await writers.create()
  await writer.sync()
  const id = newUploadId()
  const { blobId } = writer
  const wanted = { id, ...place, header, blobId, idleMsMax: uploadIdleMsMax }
  const started = await uploads.start(wanted)
  if (started instanceof Date) return { id, expireTime: started }
  if (started.kind === 'writer-lost') writers.forget(writerIdOf(blobId))
  throw refusalFromWrite(started, header)
}

/** How far an upload has come; once it is complete, what it became, for a while. */
export async function getUpload(
  { uploads }: StorageParts,
  actor: Actor,
  id: UploadId,
): Promise<Upload | FinishedUpload> {
  const reach = reachOf(actor, 'values.write')
  const upload = (await uploads.find(id, reach)) ?? (await uploads.finished(id, reach))
  if (upload === undefined) throw uploadNotFound(id)
  return upload
}
