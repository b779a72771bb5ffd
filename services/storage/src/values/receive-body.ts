import { createHash } from 'node:crypto'
import { PartSums } from '../blobs/part-sums.ts'
import { writerIdOf } from '../domain/blob-id.ts'
import {
  type BodyBounds,
  type BodyFault,
  faultOfBounds,
  faultOfChecksum,
  faultOfChunk,
  faultOfWhole,
} from '../domain/body-check.ts'
import { INLINE_BYTES_MAX } from '../domain/limits.ts'
import type { Body } from '../domain/put.ts'
import type { BlobStore, BlobWriter } from '../ports/blobs.ts'
import type { StorageParts } from '../ports/parts.ts'
import { noRoom, refusalFromBody } from '../refusals.ts'
import type { PutBody } from './put-parts.ts'

/** Bytes that are safe but not yet anybody's; disposing leaves the blob, if any, to the row that points to it. */
export interface ReceivedBody extends AsyncDisposable {
  readonly body: Body
  /** Removes the blob: no row will point to it. */
  discard(): Promise<void>
}

/**
 * Takes the chunks one at a time, as fast as they can be written: small values stay in memory, larger
 * ones go to a blob as they come. Throws the refusal, and leaves nothing, when they are not what was
 * announced.
 */
export async function receiveBody(
  { blobs, writers }: Pick<StorageParts, 'blobs' | 'writers'>,
  chunks: PutBody,
  bounds: BodyBounds,
): Promise<ReceivedBody> {
  refuse(faultOfBounds(bounds))
  if (bounds.size !== undefined) await refuseWithoutRoom(blobs, bounds.size)
  const hash = createHash('sha256')
  const sums = new PartSums()
  const held: Buffer[] = []
  let size = 0
  let writer: BlobWriter | undefined
  const write = (to: BlobWriter, bytes: Buffer) => {
    sums.add(bytes)
    return to.write(bytes)
  }
  try {
    for await (const chunk of chunks) {
      refuse(faultOfChunk(bounds, size, chunk.length))
      size += chunk.length
      hash.update(chunk)
      if (writer === undefined) held.push(chunk)
      else await write(writer, chunk)
      if (writer !== undefined || size <= INLINE_BYTES_MAX) continue
      writer = await writers.create()
      for (const early of held.splice(0)) await write(writer, early)
    }
    const sha256 = hash.digest()
    refuse(faultOfWhole(bounds, size, sha256))
    refuse(faultOfChecksum(chunks.trailer?.sha256, sha256))
    if (writer === undefined) return inlineBody(Buffer.concat(held, size), sha256)
    await writer.sync()
    return blobBody(blobs, writer, { size, sha256, partSums: sums.toBuffer() })
  } catch (error) {
    if (writer !== undefined) await drop(blobs, writer)
    throw error
  }
}

/** Known before the first byte; a store that fills up meanwhile answers the write. */
async function refuseWithoutRoom(blobs: BlobStore, size: number): Promise<void> {
  if (size > INLINE_BYTES_MAX && size > (await blobs.room())) throw noRoom(size)
}

export function refuse(fault: BodyFault | undefined): void {
  if (fault !== undefined) throw refusalFromBody(fault)
}

/** What cannot be removed now is removed by the sweep. */
async function drop(blobs: BlobStore, writer: BlobWriter): Promise<void> {
  await Promise.allSettled([blobs.delete(writer.blobId)])
  await Promise.allSettled([writer[Symbol.asyncDispose]()])
}

function inlineBody(bytes: Buffer, sha256: Buffer): ReceivedBody {
  const nothing = async () => {}
  return {
    body: { kind: 'inline', bytes, sha256 },
    discard: nothing,
    [Symbol.asyncDispose]: nothing,
  }
}

function blobBody(
  blobs: BlobStore,
  writer: BlobWriter,
  content: { size: number; sha256: Buffer; partSums: Buffer },
): ReceivedBody {
  const { blobId } = writer
  return {
    body: { kind: 'blob', blobId, ...content, writerId: writerIdOf(blobId) },
    discard: () => drop(blobs, writer),
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  }
}
