import { createHash } from 'node:crypto'
import { isSound, PART_BYTES } from '../blobs/part-sums.ts'
import { READ_CHUNK_BYTES_MAX } from '../domain/limits.ts'
import type { StoredBytes } from '../domain/put.ts'
import type { StoredValue } from '../domain/temp-value.ts'
import type { BlobReader, BlobStore } from '../ports/blobs.ts'
import { bytesDamaged } from '../refusals.ts'

/** The bytes of one version of a value, held open: replacing or deleting the value does not touch them. */
export interface ValueBody extends AsyncDisposable {
  /** Chunks of at most 256 KiB, each checked before it is given out: VALUE_DAMAGED in place of the first that is not as it was put. */
  chunks(offset: number): AsyncIterable<Buffer>
}

/** Undefined when the blob is not there: deleted since the row was read, or lost. */
export async function openBody(
  blobs: BlobStore,
  value: StoredValue,
  { inlineBytes, partSums }: StoredBytes,
): Promise<ValueBody | undefined> {
  if (inlineBytes !== null) {
    return {
      chunks: (offset) => inlineChunks(value, inlineBytes, offset),
      [Symbol.asyncDispose]: async () => {},
    }
  }
  const reader = value.blobId === undefined ? undefined : await blobs.open(value.blobId)
  if (reader === undefined) return undefined
  if (reader.size !== value.size) {
    await reader[Symbol.asyncDispose]()
    throw bytesDamaged(value.address, `are ${reader.size}, and were ${value.size}`)
  }
  return {
    chunks: (offset) => blobChunks(value, reader, partSums ?? Buffer.alloc(0), offset),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  }
}

async function* inlineChunks(
  value: StoredValue,
  bytes: Buffer,
  offset: number,
): AsyncGenerator<Buffer> {
  if (!createHash('sha256').update(bytes).digest().equals(value.sha256)) throw changed(value)
  for (let at = offset; at < bytes.length; at += READ_CHUNK_BYTES_MAX) {
    yield bytes.subarray(at, at + READ_CHUNK_BYTES_MAX)
  }
}

/** By parts, from the beginning of the one the offset is in; read from the start the SHA-256 is checked as well. */
async function* blobChunks(
  value: StoredValue,
  reader: BlobReader,
  partSums: Buffer,
  offset: number,
): AsyncGenerator<Buffer> {
  const hash = offset === 0 ? createHash('sha256') : undefined
  let part = Math.floor(offset / PART_BYTES)
  for await (const bytes of reader.chunks(part * PART_BYTES)) {
    if (!isSound(partSums, part, bytes)) throw changed(value)
    hash?.update(bytes)
    const wanted = bytes.subarray(Math.max(0, offset - part * PART_BYTES))
    if (wanted.length > 0) yield wanted
    part += 1
  }
  if (part !== Math.ceil(value.size / PART_BYTES)) {
    throw bytesDamaged(value.address, 'are not all there')
  }
  if (hash !== undefined && !hash.digest().equals(value.sha256)) throw changed(value)
}

function changed({ address }: StoredValue) {
  return bytesDamaged(address, 'are not those that were put')
}
