/** Quotas and a full disk (row S5). */
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDiskBlobs } from './blobs/disk-blobs.ts'
import { errorFromDisk } from './blobs/disk-error.ts'
import type { BlobStore } from './ports/blobs.ts'
import { refusalOf } from './testing/storage-client.ts'
import { type Ground, openGround } from './testing/storage-fixture.ts'

const KIB = 1024

let ground: Ground
beforeAll(async () => {
  ground = await openGround()
})
afterAll(() => ground[Symbol.asyncDispose]())

const full = { code: status.RESOURCE_EXHAUSTED, reason: 'STORAGE_FULL' }

/** The disk's blobs, but a blob has room for `bytes` only: then the device's own error comes. */
function smallDisk(dataDir: string, bytes: number) {
  return async (): Promise<BlobStore> => {
    const disk = await openDiskBlobs(dataDir)
    return {
      ...disk,
      async create(writerId) {
        const writer = await disk.create(writerId)
        let written = 0
        return {
          blobId: writer.blobId,
          async write(chunk) {
            written += chunk.length
            if (written > bytes) await failForLackOfSpace()
            await writer.write(chunk)
          },
          sync: () => writer.sync(),
          [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
        }
      },
    }
  }
}

async function failForLackOfSpace(): Promise<void> {
  await using device = await open('/dev/full', 'w')
  try {
    await device.write('x')
  } catch (error) {
    throw errorFromDisk(error, 'cannot write')
  }
}

test('a disk that fills up during a put refuses it, and the old value stays', async () => {
  const openBlobs = smallDisk(ground.dataDir, 200 * KIB)
  await using storage = await ground.start({}, { openBlobs })
  const ann = storage.client('ann')
  const old = randomBytes(100 * KIB)
  const { address } = await ann.put(old)
  const files = await ground.blobFiles()
  const refusal = await refusalOf(ann.put(randomBytes(300 * KIB), { address }))
  expect(refusal).toMatchObject(full)
  expect(refusal.message).not.toContain(ground.dataDir)
  expect((await ann.get(address)).bytes.equals(old)).toBe(true)
  expect(await ground.blobFiles()).toEqual(files)
})

test('a value announced larger than the free space is refused at once', async () => {
  const openBlobs = async () => {
    const disk = await openDiskBlobs(ground.dataDir)
    return { ...disk, room: async () => 100 * KIB }
  }
  await using storage = await ground.start({}, { openBlobs })
  const ann = storage.client('ann')
  const size = BigInt(101 * KIB)
  expect(await refusalOf(ann.put(Buffer.alloc(0), { size }))).toMatchObject(full)
  expect(await refusalOf(ann.startUpload({ size }))).toMatchObject(full)
})

test("an owner's bytes are bounded, and replacing and deleting make room", async () => {
  await using storage = await ground.start({ ownerBytesMax: 1000 })
  const [ann, bob] = [storage.client('ann'), storage.client('bob')]
  const namespace = 'owner-bytes'
  const { address } = await ann.put(randomBytes(900), { namespace })
  const over = { reason: 'QUOTA_EXCEEDED', code: status.RESOURCE_EXHAUSTED }
  expect(await refusalOf(ann.put(randomBytes(101), { namespace }))).toMatchObject(over)
  const announced = ann.put(randomBytes(0), { namespace, size: 101n })
  expect(await refusalOf(announced)).toMatchObject(over)
  expect(await refusalOf(ann.put(randomBytes(1001), { address }))).toMatchObject(over)
  expect((await ann.get(address)).bytes).toHaveLength(900)
  await bob.put(randomBytes(1000), { namespace })
  await ann.put(randomBytes(10), { address })
  const second = await ann.put(randomBytes(990), { namespace })
  await ann.delete(second.address)
  await ann.put(randomBytes(990), { namespace })
})

test("an owner's values, and a namespace's bytes, are bounded", async () => {
  await using storage = await ground.start({ ownerValuesMax: 2, namespaceBytesMax: 1000 })
  const [ann, bob] = [storage.client('ann'), storage.client('bob')]
  const namespace = 'counted'
  await ann.reserve({ namespace })
  await ann.put(randomBytes(800), { namespace })
  expect((await refusalOf(ann.reserve({ namespace }))).reason).toBe('QUOTA_EXCEEDED')
  const bobs = await refusalOf(bob.put(randomBytes(201), { namespace }))
  expect(bobs.reason).toBe('QUOTA_EXCEEDED')
  await bob.put(randomBytes(200), { namespace })
})

test('scopes and uploads that an owner has open are bounded, in all namespaces together, until they end', async () => {
  await using storage = await ground.start({ ownerScopesMax: 2, ownerUploadsMax: 2 })
  const [cid, dan] = [storage.client('cid'), storage.client('dan')]
  const over = (quota: string) => ({
    ...{ reason: 'QUOTA_EXCEEDED', code: status.RESOURCE_EXHAUSTED, metadata: { quota } },
  })
  const { scope } = await cid.openScope({ namespace: 'one', requestId: 'first' })
  await cid.openScope({ namespace: 'two' })
  const scopes = over('2 open scopes for an owner')
  expect(await refusalOf(cid.openScope({ namespace: 'three' }))).toMatchObject(scopes)
  // What is there already is told again.
  const again = await cid.openScope({ namespace: 'one', requestId: 'first' })
  expect(again.scope).toBe(scope)
  await dan.openScope({ namespace: 'one' })
  await cid.closeScope(scope)
  await cid.openScope({ namespace: 'three' })

  const uploadId = await cid.startUpload({ namespace: 'one' })
  await cid.startUpload({ namespace: 'two' })
  const uploads = over('2 unfinished uploads for an owner')
  expect(await refusalOf(cid.startUpload({ namespace: 'three' }))).toMatchObject(uploads)
  await dan.startUpload({ namespace: 'one' })
  await cid.put(Buffer.from('done'), { uploadId })
  await cid.startUpload({ namespace: 'three' })
})

test('what is counted is what is there, whatever happened to it', async () => {
  await using storage = await ground.start()
  const ann = storage.client('ann')
  const namespace = 'usage'
  const { scope } = await ann.openScope({ namespace })
  await ann.put(randomBytes(10), { namespace, scope })
  const { address } = await ann.reserve({ namespace })
  await ann.put(randomBytes(70 * KIB), { address })
  await ann.put(randomBytes(30), { address })
  await ann.readAndDelete(address)
  const kept = await ann.put(randomBytes(5), { namespace })
  await ann.closeScope(scope)
  expect(kept.size).toBe(5n)
  const usage = await ground.run(
    'SELECT value_count, byte_count FROM offstage_storage.usage WHERE namespace = $1',
    [namespace],
  )
  expect(usage).toEqual([{ value_count: 2, byte_count: 5 }])
})
