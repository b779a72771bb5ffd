/**
 * Goes on with an upload, and ends it when the stream ends well.
 *
 * 1. One call writes at a time: it holds the upload's lease. A call that finds it held waits a little
 *    for the other's end, for a client that lost its connection comes back at once, and long enough
 *    for the lease of a process that died.
 * 2. `received` in the row counts bytes that are on disk; what a dead process wrote beyond is cut off
 *    by the next call.
 * 3. A stream that breaks off, for whatever reason but wrong bytes, leaves the upload where it is.
 * 4. An upload that is complete answers as it did when it became so, while it is remembered.
 * 5. A writer that sends nothing until the upload's end is told so then.
 * 6. What was received is looked at before it is gone on with: where it is damaged, the upload is cut back
 *    to what is sound, and the caller is told where to go on.
 */
import { createHash, type Hash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Refusal } from '@offstage/kit/grpc'
import { isSound, PART_BYTES, PartSums } from '../blobs/part-sums.ts'
import { faultOfChecksum, faultOfChunk, faultOfWhole } from '../domain/body-check.ts'
import type { UploadId } from '../domain/identifier.ts'
import type { PutHeader, ResumeHeader, StoredValue } from '../domain/temp-value.ts'
import { type KeptLease, keepLease, LEASE_MS, LEASE_WAIT_MS } from '../keep-lease.ts'
import { newClaim } from '../new-ids.ts'
import type { StorageParts } from '../ports/parts.ts'
import type { Upload } from '../ports/uploads.ts'
import {
  invalidField,
  offsetInvalid,
  prefixDamaged,
  refusalFromWrite,
  uploadBusy,
  uploadNotFound,
} from '../refusals.ts'
import { commitPut } from '../values/commit-put.ts'
import { type Caller, noteAct } from '../values/note-act.ts'
import type { PutBody } from '../values/put-parts.ts'
import { refuse } from '../values/receive-body.ts'
import { Headway } from './headway.ts'
import { getUpload } from './start-upload.ts'

const LOOK_EVERY_MS = 100

export async function resumeUpload(
  storage: StorageParts,
  caller: Caller,
  { uploadId, offset, told }: ResumeHeader,
  body: PutBody,
): Promise<StoredValue> {
  await getUpload(storage, caller, uploadId)
  const writer = newClaim()
  await acquire(storage, uploadId, writer)
  try {
    // Again, for the call before may have come further.
    const upload = await getUpload(storage, caller, uploadId)
    if (upload.kind === 'finished') return upload.value
    refuseOther(upload, told)
    if (offset !== upload.received) {
      const text = `the upload stands at ${upload.received}, not at ${offset}`
      throw offsetInvalid(text, upload.received)
    }
    await noteAct(storage, caller, { ...upload, target: uploadId })
    return await receiveRest(storage, upload, writer, body)
  } finally {
    await storage.uploads.release(uploadId, writer)
  }
}

/** What the value will be was said at the start of its upload; a call that says something else means another. */
function refuseOther({ namespace, owner, header }: Upload, told: Partial<PutHeader>): void {
  const begun = { ...header, namespace, owner }
  const same = (one: unknown, other: unknown) =>
    Buffer.isBuffer(one) && Buffer.isBuffer(other) ? one.equals(other) : one === other
  for (const [name, field] of Object.entries(FIELDS)) {
    const said = told[name as keyof typeof FIELDS]
    if (said === undefined || same(said, begun[name as keyof typeof FIELDS])) continue
    throw invalidField(`header.${field}`, 'is not what the upload was started with')
  }
}

const FIELDS = {
  namespace: 'namespace',
  address: 'address',
  contentType: 'content_type',
  scope: 'scope',
  timeToLiveMs: 'time_to_live',
  sha256: 'sha256',
  size: 'size',
  owner: 'owner',
} as const satisfies Partial<Record<keyof PutHeader, string>>

/** Invariant 1. An upload that has ended needs no lease. */
async function acquire(storage: StorageParts, uploadId: UploadId, writer: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < LEASE_WAIT_MS; waitedMs += LOOK_EVERY_MS) {
    if (await storage.uploads.acquire(uploadId, writer, LEASE_MS)) return
    if ((await storage.uploads.find(uploadId)) === undefined) return
    await pause(LOOK_EVERY_MS)
  }
  throw uploadBusy(uploadId)
}

/** Why an upload is not the writer's: over, or another's. */
async function lostUpload(storage: StorageParts, id: UploadId): Promise<Refusal> {
  return (await storage.uploads.find(id)) === undefined ? uploadNotFound(id) : uploadBusy(id)
}

async function receiveRest(
  storage: StorageParts,
  upload: Upload,
  writer: string,
  body: PutBody,
): Promise<StoredValue> {
  const { hash, sums } = await soundPrefix(storage, upload, writer)
  const blob = await storage.blobs.resume(upload.blobId, upload.received)
  if (blob === undefined) throw uploadNotFound(upload.id)
  // Open until the row of the value points to it, so that it counts as being written.
  await using _closed = blob
  const headway = new Headway(storage, upload, writer, { blob, sums })
  using lease = keepLease(() => headway.keep())
  await append(storage, { upload, lease, headway, hash }, body)
  const { written: size, partSums } = headway
  const whole = { size, sha256: hash.digest(), partSums }
  return await complete(storage, upload, writer, whole, body.trailer?.sha256)
}

interface Appending {
  readonly upload: Upload
  readonly lease: KeptLease
  readonly headway: Headway
  readonly hash: Hash
}

async function append(
  storage: StorageParts,
  { upload, lease, headway, hash }: Appending,
  body: PutBody,
): Promise<void> {
  const { size, sha256 } = upload.header
  const bounds = { size, sha256, sizeMax: storage.valueBytesMax }
  const chunks = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const step = await lease.unlessLost(chunks.next())
      if (step === undefined || lease.lost) throw await lostUpload(storage, upload.id)
      if (step.done) break
      const chunk = step.value
      refuse(faultOfChunk(bounds, headway.written, chunk.length))
      hash.update(chunk)
      if (!(await headway.write(chunk))) throw await lostUpload(storage, upload.id)
    }
  } catch (error) {
    if (!lease.lost) await Promise.allSettled([headway.keep()])
    throw error
  }
  if (!(await headway.keep())) throw await lostUpload(storage, upload.id)
}

async function complete(
  storage: StorageParts,
  upload: Upload,
  writer: string,
  whole: { size: number; sha256: Buffer; partSums: Buffer },
  trailing: Buffer | undefined,
): Promise<StoredValue> {
  const { id, header, namespace, owner, blobId } = upload
  const bounds = { ...header, sizeMax: storage.valueBytesMax }
  const fault =
    faultOfWhole(bounds, whole.size, whole.sha256) ?? faultOfChecksum(trailing, whole.sha256)
  if (fault?.kind === 'checksum-mismatch') await end(storage, id)
  refuse(fault)
  const body = { kind: 'blob', blobId, ...whole, writerId: undefined } as const
  const place = { namespace, owner }
  const keptMs = storage.uploadIdleMsMax
  const stored = await commitPut(storage, {
    header,
    place,
    body,
    request: undefined,
    upload: { id, writer, keptMs },
  })
  if (stored.kind === 'stored') return stored
  // What was to be replaced, or filled, is gone for good; a quota can be made room in.
  if (stored.kind !== 'over-quota' && stored.kind !== 'upload-lost') await end(storage, id)
  throw refusalFromWrite(stored, { ...header, upload: id })
}

async function end(storage: StorageParts, id: UploadId): Promise<void> {
  await storage.uploads.delete(id)
  storage.garbageMade()
}

/**
 * Reads again what is there, for a hash cannot be kept in a row, and compares it with its checksums
 * (invariant 6). A long prefix takes its time, so the lease is renewed.
 */
async function soundPrefix(
  storage: StorageParts,
  upload: Upload,
  writer: string,
): Promise<{ hash: Hash; sums: PartSums }> {
  const { id, received, partSums } = upload
  const { uploads, uploadIdleMsMax: idleMsMax } = storage
  const progress = { received, partSums, leaseMs: LEASE_MS, idleMsMax }
  using lease = keepLease(() => uploads.advance(id, writer, progress))
  const prefix = await readPrefix(storage, upload)
  if (lease.lost) throw await lostUpload(storage, id)
  if (prefix === undefined) {
    await uploads.delete(id)
    throw uploadNotFound(id)
  }
  if (prefix.size === received) return prefix
  await uploads.cutBack(id, writer, { received: prefix.size, partSums: prefix.sums.toBuffer() })
  throw prefixDamaged(id, received, prefix.size)
}

/** What of the bytes received is as it came, up to the first part that is not; undefined: the blob is lost. */
async function readPrefix(
  storage: StorageParts,
  { blobId, received, partSums }: Upload,
): Promise<{ hash: Hash; sums: PartSums; size: number } | undefined> {
  await using reader = await storage.blobs.open(blobId)
  if (reader === undefined) return undefined
  const hash = createHash('sha256')
  const sums = new PartSums()
  let size = 0
  for await (const chunk of reader.chunks(0)) {
    const part = chunk.subarray(0, received - size)
    if (part.length === 0 || !isSound(partSums, size / PART_BYTES, part)) break
    hash.update(part)
    sums.add(part)
    size += part.length
  }
  return { hash, sums, size }
}
