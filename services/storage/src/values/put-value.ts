import type { PutHeader, StoredValue } from '../domain/temp-value.ts'
import type { StorageParts } from '../ports/parts.ts'
import { refusalFromWrite } from '../refusals.ts'
import { commitPut } from './commit-put.ts'
import type { Caller } from './note-act.ts'
import { type Place, placeOf } from './place.ts'
import type { PutBody } from './put-parts.ts'
import { receiveBody } from './receive-body.ts'
import { findRepeated, refuseOther, requestOf } from './repeated-put.ts'

/**
 * Stores a value (row S1); resolves once it can be seen.
 *
 * What refuses a put may refuse its repeat though the put is done: its address is gone by now, say, or
 * the quota used up. So it is before a refusal, and only then, that a repeat is looked for.
 */
export async function putValue(
  storage: StorageParts,
  caller: Caller,
  header: PutHeader,
  body: PutBody,
): Promise<StoredValue> {
  let place: Place | undefined
  let refusal: unknown
  try {
    place = await placeOf(storage, caller, header)
  } catch (error) {
    refusal = error
    if ((await findRepeated(storage, caller, header)) === undefined) throw error
  }
  const { size, sha256 } = header
  const bounds = { size, sha256, sizeMax: storage.valueBytesMax }
  await using received = await receiveBody(storage, body, bounds)
  if (place !== undefined) {
    const request = requestOf(caller, header)
    const put = { header, place, body: received.body, request, upload: undefined }
    const stored = await commitPut(storage, put)
    if (stored.kind === 'stored') return stored
    refusal = refusalFromWrite(stored, header)
  }
  await received.discard()
  const finished = await findRepeated(storage, caller, header)
  if (finished === undefined) throw refusal
  refuseOther(header, finished, received.body.sha256)
  return finished.value
}
