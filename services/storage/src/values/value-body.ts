import { createHash } from 'node:crypto'
import { READ_CHUNK_BYTES_MAX } from '../domain/limits.ts'
import type { StoredValue } from '../domain/temp-value.ts'
import type { BlobStore } from '../ports.ts'
import { bytesDamaged } from '../refusals.ts'

/** The bytes of one version of a value, held open: replacing or deleting the value does not touch them. */
export interface ValueBody extends AsyncDisposable {
  /** Chunks of at most 256 KiB. Read from the start they are checked: CHECKSUM_MISMATCH at the end. */
  chunks(offset: number): AsyncIterable<Buffer>
}

/** Undefined when the blob is not there: deleted since the row was read, or lost. */
export async function openBody(
  blobs: BlobStore,
  value: StoredValue,
  inlineBytes: Buffer | null,
): Promise<ValueBody | undefined> {
  if (inlineBytes !== null) {
    return {
      chunks: (offset) => checked(value, offset, slicesOf(inlineBytes, offset)),
      [Symbol.asyncDispose]: async () => {},
    }
  }
  const reader = value.blobId === undefined ? undefined : await blobs.open(value.blobId)
  return (
    reader && {
      chunks: (offset) => checked(value, offset, reader.chunks(offset)),
      [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    }
  )
}

async function* slicesOf(bytes: Buffer, offset: number): AsyncGenerator<Buffer> {
  for (let at = offset; at < bytes.length; at += READ_CHUNK_BYTES_MAX) {
    yield bytes.subarray(at, at + READ_CHUNK_BYTES_MAX)
  }
}

/** The size is checked always, the SHA-256 when all of the bytes pass here. */
async function* checked(
  value: StoredValue,
  offset: number,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const hash = offset === 0 ? createHash('sha256') : undefined
  let position = offset
  for await (const chunk of chunks) {
    hash?.update(chunk)
    position += chunk.length
    yield chunk
  }
  if (position !== value.size) throw bytesDamaged(value.address, 'are not all there')
  if (hash !== undefined && !hash.digest().equals(value.sha256)) {
    throw bytesDamaged(value.address, 'do not have their SHA-256 any more')
  }
}
