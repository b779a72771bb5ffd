import type { PutPart, StoredValue } from '../domain/temp-value.ts'
import type { StorageParts } from '../ports/parts.ts'
import type { Caller } from '../values/note-act.ts'
import { openPut } from '../values/put-parts.ts'
import { putValue } from '../values/put-value.ts'
import { resumeUpload } from './resume-upload.ts'

/** Takes a put as it opens: a value of its own, or the rest of an upload. */
export async function putOrResume(
  storage: StorageParts,
  caller: Caller,
  parts: AsyncIterable<PutPart>,
): Promise<StoredValue> {
  const { opening, body } = await openPut(parts)
  if (opening.kind === 'resume') return resumeUpload(storage, caller, opening.header, body)
  return putValue(storage, caller, opening.header, body)
}
