import type { Payload } from '@offstage/proto/jobs'
import { streamOf } from '../jobs/byte-stream.ts'
import { JSON_TYPE } from '../jobs/payload.ts'
import { refuseReplaced } from './completion-from.ts'
import { openDownload } from './download.ts'
import type { Session } from './session.ts'

/**
 * A result being read: an open call where it lies in temp storage, until the last byte was taken. Whoever does not read on leaves the
 * loop or disposes it (`await using`).
 */
export interface ResultStream extends AsyncDisposable {
  /** Such as `application/octet-stream`; `application/json` for most. */
  readonly contentType: string
  /** Bytes in all. */
  readonly size: number
  /** Its bytes, read no faster than they are taken; an interrupted read goes on where it was. To be read once. */
  readonly chunks: AsyncIterableIterator<Uint8Array, void, undefined>
}

/** Reads a result wherever it is; nothing for none. */
export async function openResult(
  session: Session,
  jobId: string,
  payload: Payload | undefined,
  signal: AbortSignal | undefined,
): Promise<ResultStream> {
  const contentType = payload?.contentType || JSON_TYPE
  if (payload?.source?.$case !== 'address') {
    const bytes = payload?.source?.value ?? Buffer.alloc(0)
    const chunks = streamOf(bytes)
    return {
      contentType,
      size: bytes.byteLength,
      chunks,
      [Symbol.asyncDispose]: () => close(chunks),
    }
  }
  const address = payload.source.value
  try {
    const stream = await openDownload(session, address, signal, payload.sha256)
    const { value, chunks } = stream
    return { contentType, size: value.size, chunks, [Symbol.asyncDispose]: () => close(chunks) }
  } catch (error) {
    return refuseReplaced(jobId, address, error)
  }
}

async function close(chunks: ResultStream['chunks']): Promise<void> {
  await chunks.return?.()
}
