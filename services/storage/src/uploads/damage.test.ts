/** What a disk does to the bytes of an upload between two calls. */
import { createHash, randomBytes } from 'node:crypto'
import { rename, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { flipByte } from '../testing/flip-byte.ts'
import { refusalOf, type TestClient } from '../testing/storage-client.ts'
import { type Ground, openGround, type Started } from '../testing/storage-fixture.ts'

const KIB = 1024
const MIB = 1024 * KIB

let ground: Ground
let storage: Started
let ann: TestClient

beforeAll(async () => {
  ground = await openGround()
  storage = await ground.start()
  ann = storage.client('ann')
})
afterAll(async () => {
  await storage[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

/** An upload that was told the size of `bytes` and has received the first of them. */
async function interrupted(bytes: Buffer, received: number) {
  const uploadId = await ann.startUpload({ size: BigInt(bytes.length) })
  const short = await refusalOf(ann.put(bytes.subarray(0, received), { uploadId }))
  expect(short.fields).toEqual(['header.size'])
  const [row] = await ground.run('SELECT blob_id FROM offstage_storage.uploads WHERE id = $1', [
    uploadId,
  ])
  const blobId = String(row?.blob_id)
  const file = join(ground.dataDir, 'blobs', blobId.slice(0, 2), blobId)
  const goOn = (from: number) => ann.put(bytes.subarray(from), { uploadId, offset: BigInt(from) })
  return { uploadId, file, goOn }
}

test.each([
  ['flipped in the middle', (file: string) => flipByte(file, 600 * KIB), 512 * KIB],
  ['flipped in the last bytes', (file: string) => flipByte(file, 800 * KIB - 1), 768 * KIB],
  ['cut off', (file: string) => truncate(file, 300 * KIB), 256 * KIB],
])(
  'bytes %s after they came are noticed, and only what follows is sent again',
  async (_how, damage, sound) => {
    const bytes = randomBytes(2 * MIB + 5)
    const upload = await interrupted(bytes, 800 * KIB)
    await damage(upload.file)
    const refusal = await refusalOf(upload.goOn(800 * KIB))
    expect(refusal).toMatchObject({
      reason: 'OFFSET_INVALID',
      metadata: { expected: String(sound) },
    })
    expect((await ann.getUpload(upload.uploadId)).received).toBe(BigInt(sound))
    const { address, sha256 } = await upload.goOn(sound)
    expect(sha256).toEqual(createHash('sha256').update(bytes).digest())
    expect(
      (await ann.get(address, { offset: 700_000n })).bytes.equals(bytes.subarray(700_000)),
    ).toBe(true)
  },
)

test('an upload whose bytes are lost is over', async () => {
  const upload = await interrupted(randomBytes(MIB), 500 * KIB)
  await unlink(upload.file)
  expect((await refusalOf(upload.goOn(500 * KIB))).reason).toBe('UPLOAD_NOT_FOUND')
})

test('an upload waits for a directory that is away', async () => {
  const bytes = randomBytes(MIB)
  const upload = await interrupted(bytes, 500 * KIB)
  await rename(ground.dataDir, `${ground.dataDir}-away`)
  expect((await refusalOf(upload.goOn(500 * KIB))).reason).toBe('STORAGE_UNAVAILABLE')
  await rename(`${ground.dataDir}-away`, ground.dataDir)
  await until(async () => (await ground.blobFiles()).length > 0)
  const { address } = await upload.goOn(500 * KIB)
  expect((await ann.get(address)).bytes.equals(bytes)).toBe(true)
})
