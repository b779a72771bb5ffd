/**
 * Goes on with an upload, and ends it when the stream ends well.
 *
 * 1. One call writes at a time: it holds the upload's lease. A call that finds it held waits a little
 *    for the other's end, for a client that lost its connection comes back at once.
 * 2. `received` in the row counts bytes that are on disk; what a dead process wrote beyond is cut off
 *    by the next call.
 * 3. A stream that breaks off, for whatever reason but wrong bytes, leaves the upload where it is.
 */
import { createHash, type Hash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Actor } from '../domain/actor.ts'
import { faultOfChecksum, faultOfChunk, faultOfWhole } from '../domain/body-check.ts'
import type { UploadId } from '../domain/identifier.ts'
import type { ResumeHeader, StoredValue } from '../domain/temp-value.ts'
import { keepLease, LEASE_MS } from '../keep-lease.ts'
import { newClaim } from '../new-ids.ts'
import type { BlobWriter, Storage, Upload } from '../ports.ts'
import { offsetInvalid, refusalFromWrite, uploadBusy, uploadNotFound } from '../refusals.ts'
import type { PutBody } from '../values/put-parts.ts'
import { commitPut } from '../values/put-value.ts'
import { refuse } from '../values/receive-body.ts'
import { getUpload } from './start-upload.ts'

/** What a dying process loses at most. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024
const LOOK_EVERY_MS = 100
const LOOKS_MAX = 50

export async function resumeUpload(
  storage: Storage,
  actor: Actor,
  { uploadId, offset }: ResumeHeader,
  body: PutBody,
): Promise<StoredValue> {
  await getUpload(storage, actor, uploadId)
  const writer = newClaim()
  await acquire(storage, uploadId, writer)
  try {
    // Again, for the call before may have come further.
    const upload = await getUpload(storage, actor, uploadId)
    if (offset !== upload.received) {
      const text = `the upload stands at ${upload.received}, not at ${offset}`
      throw offsetInvalid(text, upload.received)
    }
    return await receiveRest(storage, upload, writer, body)
  } finally {
    await storage.uploads.release(uploadId, writer)
  }
}

/** Invariant 1. */
async function acquire(storage: Storage, uploadId: UploadId, writer: string): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    if (await storage.uploads.acquire(uploadId, writer, LEASE_MS)) return
    await pause(LOOK_EVERY_MS)
  }
  throw uploadBusy(uploadId)
}

async function receiveRest(
  storage: Storage,
  upload: Upload,
  claim: string,
  body: PutBody,
): Promise<StoredValue> {
  const blob = await storage.blobs.resume(upload.blobId, upload.received)
  if (blob === undefined) {
    await storage.uploads.delete(upload.id)
    throw uploadNotFound(upload.id)
  }
  await using _closed = blob
  const hash = await hashOfReceived(storage, upload)
  const size = await append(storage, { upload, claim, blob, hash }, body)
  // Awaited, so that the blob counts as being written until its row points to it.
  const whole = { size, sha256: hash.digest() }
  return await complete(storage, upload, claim, whole, body.trailer?.sha256)
}

interface Appending {
  readonly upload: Upload
  readonly claim: string
  readonly blob: BlobWriter
  readonly hash: Hash
}

/** Resolves to the size of the whole. */
async function append(
  storage: Storage,
  { upload, claim, blob, hash }: Appending,
  chunks: AsyncIterable<Buffer>,
): Promise<number> {
  const { size, sha256 } = upload.header
  const bounds = { size, sha256, sizeMax: storage.valueBytesMax }
  let written = upload.received
  let safe = written
  const keep = () => {
    const progress = { received: safe, leaseMs: LEASE_MS, idleMsMax: storage.uploadIdleMsMax }
    return storage.uploads.advance(upload.id, claim, progress)
  }
  const checkpoint = async () => {
    const reached = written
    await blob.sync()
    safe = reached
    if (!(await keep())) throw uploadBusy(upload.id)
  }
  using lease = keepLease(keep)
  try {
    for await (const chunk of chunks) {
      if (lease.lost) throw uploadBusy(upload.id)
      refuse(faultOfChunk(bounds, written, chunk.length))
      await blob.write(chunk)
      hash.update(chunk)
      written += chunk.length
      if (written - safe >= CHECKPOINT_BYTES) await checkpoint()
    }
  } catch (error) {
    await Promise.allSettled([checkpoint()])
    throw error
  }
  await checkpoint()
  return written
}

async function complete(
  storage: Storage,
  upload: Upload,
  writer: string,
  whole: { size: number; sha256: Buffer },
  trailing: Buffer | undefined,
): Promise<StoredValue> {
  const { id, header, namespace, owner, blobId } = upload
  const bounds = { ...header, sizeMax: storage.valueBytesMax }
  const fault =
    faultOfWhole(bounds, whole.size, whole.sha256) ?? faultOfChecksum(trailing, whole.sha256)
  if (fault?.kind === 'checksum-mismatch') await end(storage, id)
  refuse(fault)
  const body = { kind: 'blob', blobId, ...whole } as const
  const place = { namespace, owner }
  const stored = await commitPut(storage, { header, place, body, upload: { id, writer } })
  if (stored.kind === 'stored') return stored
  // What was to be replaced, or filled, is gone for good; a quota can be made room in.
  if (stored.kind !== 'over-quota' && stored.kind !== 'upload-lost') await end(storage, id)
  throw refusalFromWrite(stored, { ...header, upload: id })
}

async function end(storage: Storage, id: UploadId): Promise<void> {
  await storage.uploads.delete(id)
  storage.garbageMade()
}

/** A hash cannot be kept in a row, so what is there is read again. */
async function hashOfReceived(storage: Storage, upload: Upload): Promise<Hash> {
  const hash = createHash('sha256')
  if (upload.received === 0) return hash
  await using reader = await storage.blobs.open(upload.blobId)
  if (reader === undefined) throw uploadNotFound(upload.id)
  for await (const chunk of reader.chunks(0)) hash.update(chunk)
  return hash
}
