import { createHash, randomBytes } from 'node:crypto'
import { appendFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { PutValueHeader } from '@offstage/proto/storage'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { UploadId } from '../domain/identifier.ts'
import { createUploadStore } from '../store/upload-store.ts'
import { refusalOf, type TestClient } from '../testing/storage-client.ts'
import { type Ground, openGround, type Started } from '../testing/storage-fixture.ts'

const MIB = 1024 * 1024

let ground: Ground
let storage: Started
let ann: TestClient

beforeAll(async () => {
  ground = await openGround()
  storage = await ground.start({ sweepEveryMs: 20 })
  ann = storage.client('ann')
})
beforeEach(async () => {
  await ground.run('DELETE FROM offstage_storage.uploads')
  await ground.run('DELETE FROM offstage_storage.temp_values')
  await until(async () => (await ground.blobFiles()).length === 0)
})
afterAll(async () => {
  await storage[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest()

/** Sends bytes to an upload and breaks off; resolves to how far the service says it has come. */
async function sendAndBreakOff(uploadId: string, offset: number, bytes: Buffer): Promise<number> {
  const { stream, answer } = ann.beginPut()
  const header = PutValueHeader.fromPartial({ uploadId, offset: BigInt(offset) })
  stream.write({ part: { $case: 'header', value: header } })
  for (let at = 0; at < bytes.length; at += MIB) {
    stream.write({ part: { $case: 'chunk', value: bytes.subarray(at, at + MIB) } })
  }
  const [row] = await ground.run('SELECT blob_id FROM offstage_storage.uploads WHERE id = $1', [
    uploadId,
  ])
  await until(async () => (await sizeOf(String(row?.blob_id))) === offset + bytes.length)
  stream.cancel()
  await expect(answer).rejects.toMatchObject({ code: status.CANCELLED })
  await until(async () => {
    const rows = await ground.run('SELECT writer FROM offstage_storage.uploads')
    return rows.every(({ writer }) => writer === null)
  })
  return Number((await ann.getUpload(uploadId)).received)
}

async function sizeOf(blobId: string): Promise<number> {
  return (await stat(pathOf(blobId))).size
}
const pathOf = (blobId: string) => join(ground.dataDir, 'blobs', blobId.slice(0, 2), blobId)

test('an upload that is interrupted twice goes on and becomes the value it was to be', async () => {
  const bytes = randomBytes(5 * MIB)
  const { address } = await ann.reserve()
  const uploadId = await ann.startUpload({
    address,
    contentType: 'text/csv',
    size: BigInt(bytes.length),
    sha256: sha256(bytes),
  })
  expect((await ann.getUpload(uploadId)).received).toBe(0n)
  const first = await sendAndBreakOff(uploadId, 0, bytes.subarray(0, 2 * MIB))
  expect(first).toBe(2 * MIB)
  expect(await sendAndBreakOff(uploadId, first, bytes.subarray(first, 4 * MIB))).toBe(4 * MIB)
  expect(await ann.describe(address)).toMatchObject({ reserved: true })
  const rest = bytes.subarray(4 * MIB)
  const value = await ann.put(rest, { uploadId, offset: BigInt(4 * MIB) })
  expect(value).toMatchObject({ address, contentType: 'text/csv', sha256: sha256(bytes) })
  expect((await ann.get(address)).bytes.equals(bytes)).toBe(true)
})

test('an upload whose answer was lost is told again, whatever became of the value, for a while', async () => {
  const uploadId = await ann.startUpload()
  const value = await ann.put(randomBytes(MIB), { uploadId })
  expect(await ann.getUpload(uploadId)).toMatchObject({ received: BigInt(MIB), value })
  await ann.put(Buffer.from('newer'), { address: value.address })
  expect(await ann.put(Buffer.alloc(0), { uploadId, offset: BigInt(MIB) })).toEqual(value)
  await ann.delete(value.address)
  expect(await ann.put(randomBytes(MIB), { uploadId })).toEqual(value)
  await ground.run('UPDATE offstage_storage.finished_puts SET forget_time = now()')
  await until(async () => (await ann.getUpload(uploadId).catch(() => undefined)) === undefined)
  expect((await refusalOf(ann.getUpload(uploadId))).reason).toBe('UPLOAD_NOT_FOUND')
})

test('a call that comes back while the one before still ends is told its outcome', async () => {
  const uploadId = await ann.startUpload()
  const bytes = randomBytes(MIB)
  const { stream, answer } = sendAndStall(ann, uploadId, bytes)
  await until(async () => {
    const [row] = await ground.run('SELECT writer FROM offstage_storage.uploads')
    return row?.writer !== null
  })
  const again = ann.put(bytes, { uploadId })
  stream.end()
  expect(await again).toEqual((await answer).value)
})

test('bytes a dead process wrote beyond its last checkpoint are cut off', async () => {
  const bytes = randomBytes(2 * MIB)
  const uploadId = await ann.startUpload({ sha256: sha256(bytes) })
  const received = await sendAndBreakOff(uploadId, 0, bytes.subarray(0, MIB))
  const [row] = await ground.run('SELECT blob_id FROM offstage_storage.uploads')
  await appendFile(pathOf(String(row?.blob_id)), 'written, and not told')
  const value = await ann.put(bytes.subarray(received), { uploadId, offset: BigInt(received) })
  expect(value).toMatchObject({ size: BigInt(bytes.length), sha256: sha256(bytes) })
})

test('a chunk that does not belong where the upload stands is refused with where it stands', async () => {
  const uploadId = await ann.startUpload()
  const refusal = await refusalOf(ann.put(Buffer.from('x'), { uploadId, offset: 7n }))
  expect(refusal).toMatchObject({ reason: 'OFFSET_INVALID', code: status.OUT_OF_RANGE })
  expect(refusal.metadata).toEqual({ expected: '0' })
  expect(await ann.put(Buffer.from('x'), { uploadId })).toMatchObject({ size: 1n })
})

test('wrong bytes end an upload, missing bytes do not', async () => {
  const bytes = randomBytes(10)
  const header = { size: 10n, sha256: sha256(bytes) }
  const wrong = await ann.startUpload(header)
  const mismatch = await refusalOf(ann.put(randomBytes(10), { uploadId: wrong }))
  expect(mismatch.reason).toBe('CHECKSUM_MISMATCH')
  expect((await refusalOf(ann.getUpload(wrong))).reason).toBe('UPLOAD_NOT_FOUND')
  const short = await ann.startUpload(header)
  const missing = await refusalOf(ann.put(bytes.subarray(0, 4), { uploadId: short }))
  expect(missing.fields).toEqual(['header.size'])
  expect((await ann.getUpload(short)).received).toBe(4n)
  await ann.put(bytes.subarray(4), { uploadId: short, offset: 4n })
})

test('a trailer closes an upload: without the one promised it stays, with a wrong one it ends', async () => {
  const bytes = randomBytes(10)
  const parts = (value: Partial<PutValueHeader>, from: number, to: number) => [
    { $case: 'header' as const, value: PutValueHeader.fromPartial({ ...value, trailer: true }) },
    { $case: 'chunk' as const, value: bytes.subarray(from, to) },
  ]
  const trailer = (checksum: Buffer) => ({
    $case: 'trailer' as const,
    value: { sha256: checksum },
  })
  const uploadId = await ann.startUpload()
  const missing = await refusalOf(ann.putParts(parts({ uploadId }, 0, 4)))
  expect(missing.fields).toEqual(['trailer'])
  const rest = parts({ uploadId, offset: 4n }, 4, 10)
  expect(await ann.putParts([...rest, trailer(sha256(bytes))])).toMatchObject({ size: 10n })
  const wrong = await ann.startUpload()
  const whole = parts({ uploadId: wrong }, 0, 10)
  const mismatch = await refusalOf(ann.putParts([...whole, trailer(sha256(randomBytes(1)))]))
  expect(mismatch.reason).toBe('CHECKSUM_MISMATCH')
  expect((await refusalOf(ann.getUpload(wrong))).reason).toBe('UPLOAD_NOT_FOUND')
  const early = PutValueHeader.fromPartial({ trailer: true })
  expect((await refusalOf(ann.startUpload(early))).fields).toEqual(['header.trailer'])
})

test('an upload without headway ends, and its bytes go', async () => {
  const uploadId = await ann.startUpload()
  await sendAndBreakOff(uploadId, 0, randomBytes(MIB))
  expect(await ground.blobFiles()).toHaveLength(1)
  await ground.run('UPDATE offstage_storage.uploads SET expire_time = now()')
  expect((await refusalOf(ann.getUpload(uploadId))).reason).toBe('UPLOAD_NOT_FOUND')
  await until(async () => (await ground.blobFiles()).length === 0)
})

/** Opens the upload's stream and leaves it open. */
function sendAndStall(client: TestClient, uploadId: string, bytes: Buffer) {
  const call = client.beginPut()
  const header = PutValueHeader.fromPartial({ uploadId })
  call.stream.write({ part: { $case: 'header', value: header } })
  call.stream.write({ part: { $case: 'chunk', value: bytes } })
  return call
}

test('headway is safe soon, however slow; a call that comes before is told where to go on', async () => {
  const bytes = randomBytes(MIB)
  const uploadId = await ann.startUpload()
  const { stream } = sendAndStall(ann, uploadId, bytes)
  await until(async () => (await ground.blobFiles()).length === 1)
  const stale = refusalOf(ann.put(bytes, { uploadId }))
  await until(async () => (await ann.getUpload(uploadId)).received === BigInt(MIB))
  stream.cancel()
  expect(await stale).toMatchObject({
    reason: 'OFFSET_INVALID',
    metadata: { expected: String(MIB) },
  })
})

test('a writer that sends nothing is told when its upload has ended, which stays so', async () => {
  await using short = await ground.start({ uploadIdleMsMax: 500 })
  const client = short.client('ann')
  const uploadId = await client.startUpload()
  const { answer } = sendAndStall(client, uploadId, randomBytes(MIB))
  await until(async () => (await refusalOf(answer)).reason === 'UPLOAD_NOT_FOUND')
  expect((await refusalOf(client.getUpload(uploadId))).reason).toBe('UPLOAD_NOT_FOUND')
  expect((await refusalOf(client.put(randomBytes(1), { uploadId }))).reason).toBe(
    'UPLOAD_NOT_FOUND',
  )
  await until(async () => (await ground.blobFiles()).length === 0)
})

test('only headway puts off the end of an upload', async () => {
  const store = createUploadStore(ground.database, 1e9)
  const id = (await ann.startUpload()) as UploadId
  const endsIn = async (text: string) => {
    const [row] = await ground.run(
      `SELECT expire_time > now() + interval '${text}' AS later FROM offstage_storage.uploads`,
    )
    return row?.later
  }
  const advance = (received: number) =>
    store.advance(id, 'w', {
      received,
      partSums: Buffer.alloc(4),
      leaseMs: 60_000,
      idleMsMax: 3_600_000,
    })
  expect(await store.acquire(id, 'w', 60_000)).toBe(true)
  await ground.run("UPDATE offstage_storage.uploads SET expire_time = now() + interval '1 minute'")
  expect(await advance(0)).toBe(true)
  expect(await endsIn('2 minutes')).toBe(false)
  expect(await advance(1)).toBe(true)
  expect(await endsIn('59 minutes')).toBe(true)
  await ground.run('UPDATE offstage_storage.uploads SET expire_time = now()')
  expect(await advance(2)).toBe(false)
})

test('an upload to an address that is gone by the end is refused', async () => {
  const { address } = await ann.reserve()
  const uploadId = await ann.startUpload({ address })
  await ann.delete(address)
  const refusal = await refusalOf(ann.put(Buffer.from('late'), { uploadId }))
  expect(refusal.reason).toBe('VALUE_NOT_FOUND')
  expect((await refusalOf(ann.getUpload(uploadId))).reason).toBe('UPLOAD_NOT_FOUND')
})

test('a resume may say what the start said, and nothing else', async () => {
  const bytes = Buffer.from('x')
  const header = { contentType: 'text/plain', size: 1n, sha256: sha256(bytes) }
  const uploadId = await ann.startUpload(header)
  for (const [field, other] of [
    ['header.content_type', { contentType: 'text/html' }],
    ['header.size', { size: 2n }],
    ['header.sha256', { sha256: sha256(Buffer.from('y')) }],
    ['header.namespace', { namespace: 'elsewhere' }],
    ['header.owner', { owner: 'bob' }],
    ['header.request_id', { requestId: 'r' }],
  ] as const) {
    const refusal = await refusalOf(ann.put(bytes, { ...header, ...other, uploadId }))
    expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', fields: [field] })
  }
  const same = { ...header, namespace: 'default', owner: 'ann' }
  expect(await ann.put(bytes, { ...same, uploadId })).toMatchObject({ contentType: 'text/plain' })
})
