import { randomBytes } from 'node:crypto'
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PutValueHeader } from '@offstage/proto/storage'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { refusalOf } from '../testing/storage-client.ts'
import { type Ground, openGround } from '../testing/storage-fixture.ts'

const KIB = 1024

let ground: Ground
beforeAll(async () => {
  ground = await openGround()
})
afterAll(() => ground[Symbol.asyncDispose]())

/** A file such as a process that died has left; resolves when a sweep has taken it. */
async function orphanSwept(): Promise<void> {
  const blobId = randomBytes(16).toString('hex')
  await writeFile(join(ground.dataDir, 'blobs', blobId.slice(0, 2), blobId), 'half')
  await until(async () => !(await ground.blobFiles()).some((file) => file.endsWith(blobId)))
}

test('a put is not swept while its bytes come, however slowly', async () => {
  await using storage = await ground.start({ orphanSweepEveryMs: 5 })
  const ann = storage.client('ann')
  const bytes = randomBytes(300 * KIB)
  const { stream, answer } = ann.beginPut()
  stream.write({ part: { $case: 'header', value: PutValueHeader.fromPartial({}) } })
  for (let at = 0; at < bytes.length; at += 100 * KIB) {
    stream.write({ part: { $case: 'chunk', value: bytes.subarray(at, at + 100 * KIB) } })
    await until(async () => (await ground.blobFiles()).length === 1)
    await orphanSwept()
  }
  stream.end()
  const { value } = await answer
  await orphanSwept()
  expect((await ann.get(value?.address ?? '')).bytes.equals(bytes)).toBe(true)
  await ann.delete(value?.address ?? '')
})

test('an expired value is gone at once, and then its row, its blob and its count', async () => {
  await using storage = await ground.start({ sweepEveryMs: 10 })
  const ann = storage.client('ann')
  const namespace = 'expiring'
  const timeToLive = { seconds: 3600n, nanos: 0 }
  const { address } = await ann.put(randomBytes(100 * KIB), { namespace, timeToLive })
  const files = (await ground.blobFiles()).length
  await ground.run(
    'UPDATE offstage_storage.temp_values SET expire_time = now() WHERE address = $1',
    [address],
  )
  expect((await refusalOf(ann.get(address))).reason).toBe('VALUE_NOT_FOUND')
  await until(async () => (await ground.blobFiles()).length === files - 1)
  await until(
    async () =>
      (await ground.run('SELECT FROM offstage_storage.usage WHERE namespace = $1', [namespace]))
        .length === 0,
  )
  expect(storage.events.map(({ subject }) => subject)).toContain(
    'offstage.v1.expiring.values.expired',
  )
})

test('a file that cannot be removed holds up no other', async () => {
  await using storage = await ground.start({ sweepEveryMs: 10, orphanSweepEveryMs: 5 })
  const ann = storage.client('ann')
  const values = [await ann.put(randomBytes(100 * KIB)), await ann.put(randomBytes(100 * KIB))]
  const [stuck] = await ground.run(
    'SELECT blob_id FROM offstage_storage.temp_values WHERE address = $1',
    [values[0]?.address],
  )
  const blobId = String(stuck?.blob_id)
  const path = join(ground.dataDir, 'blobs', blobId.slice(0, 2), blobId)
  // Nothing but a folder in its place withstands one who may do everything.
  await rm(path)
  await mkdir(path)
  for (const { address } of values) await ann.delete(address)
  await until(
    async () => (await ground.run('SELECT FROM offstage_storage.garbage_blobs')).length === 1,
  )
  const strays = Array.from({ length: 256 }, (_, shard) =>
    shard.toString(16).padStart(2, '0').padEnd(32, '0'),
  )
  for (const stray of strays) {
    await writeFile(join(ground.dataDir, 'blobs', stray.slice(0, 2), stray), 'half')
  }
  await until(async () => (await ground.blobFiles()).length === 1)
  await rmdir(path)
  await until(
    async () => (await ground.run('SELECT FROM offstage_storage.garbage_blobs')).length === 0,
  )
})
