/** Two services on one folder and one PostgreSQL: what one of them is writing is no orphan for the other. */
import { randomBytes } from 'node:crypto'
import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PutValueHeader } from '@offstage/proto/storage'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { refusalOf, type TestClient } from '../testing/storage-client.ts'
import { type Ground, openGround } from '../testing/storage-fixture.ts'

const KIB = 1024
const HOUR_MS = 3_600_000
const SWEEPING = { orphanSweepEveryMs: 5 }

const resources = new AsyncDisposableStack()
let ground: Ground

beforeAll(async () => {
  ground = resources.use(await openGround())
})
beforeEach(async () => {
  await ground.run('DELETE FROM offstage_storage.temp_values').catch(() => [])
})
afterAll(() => resources.disposeAsync())

const pathOf = (file: string) => join(ground.dataDir, 'blobs', file)

/** A put that has brought some bytes and brings the rest when it is told to. */
async function beginPut(client: TestClient, bytes: Buffer) {
  const before = new Set(await ground.blobFiles())
  const { stream, answer } = client.beginPut()
  stream.write({ part: { $case: 'header', value: PutValueHeader.fromPartial({}) } })
  stream.write({ part: { $case: 'chunk', value: bytes.subarray(0, 100 * KIB) } })
  const written = async () => (await ground.blobFiles()).filter((file) => !before.has(file))
  await until(async () => (await written()).length === 1)
  const [file = ''] = await written()
  const finish = () => {
    stream.write({ part: { $case: 'chunk', value: bytes.subarray(100 * KIB) } })
    stream.end()
    return answer
  }
  return { file, finish }
}

/** A file such as a process that died has left, dated by a clock that is off; resolves when a sweep has taken it. */
async function orphanSwept(offMs: number): Promise<void> {
  const blobId = randomBytes(16).toString('hex')
  const file = join(blobId.slice(0, 2), blobId)
  await writeFile(pathOf(file), 'half')
  await dateFile(file, offMs)
  await until(async () => !(await ground.blobFiles()).includes(file))
}

async function dateFile(file: string, offMs: number): Promise<void> {
  const time = new Date(Date.now() + offMs)
  await utimes(pathOf(file), time, time)
}

test.each([-2 * HOUR_MS, 2 * HOUR_MS])(
  'a put is kept by the sweep of another service whose clock differs by %d ms',
  async (offMs) => {
    await using writing = await ground.start()
    await using _sweeping = await ground.start(SWEEPING)
    const bytes = randomBytes(200 * KIB)
    const ann = writing.client('ann')
    const put = await beginPut(ann, bytes)
    await dateFile(put.file, offMs)
    await orphanSwept(offMs)
    const { value } = await put.finish()
    await orphanSwept(offMs)
    expect((await ann.get(value?.address ?? '')).bytes.equals(bytes)).toBe(true)
  },
)

test('a put that idles for longer than the grace is kept while its service lives', async () => {
  const orphanGraceMs = 200
  await using writing = await ground.start({ orphanGraceMs })
  await using _sweeping = await ground.start({ ...SWEEPING, orphanGraceMs })
  const bytes = randomBytes(200 * KIB)
  const ann = writing.client('ann')
  const put = await beginPut(ann, bytes)
  const [begun] = await ground.run('SELECT now() AS at')
  const passed = () =>
    ground.run("SELECT FROM (SELECT) AS one WHERE now() > $1::timestamptz + interval '700 ms'", [
      begun?.at,
    ])
  await until(async () => (await passed()).length === 1)
  await orphanSwept(-HOUR_MS)
  const { value } = await put.finish()
  expect((await ann.get(value?.address ?? '')).bytes.equals(bytes)).toBe(true)
})

test('a put of a service that was taken for dead meanwhile is refused, and can be sent again', async () => {
  await using writing = await ground.start()
  await using _sweeping = await ground.start(SWEEPING)
  const bytes = randomBytes(200 * KIB)
  const ann = writing.client('ann')
  const put = await beginPut(ann, bytes)
  await ground.run('UPDATE offstage_storage.blob_writers SET lease_until = now()')
  await until(async () => !(await ground.blobFiles()).includes(put.file))
  expect((await refusalOf(put.finish())).reason).toBe('STORAGE_UNAVAILABLE')
  const { address } = await ann.put(bytes)
  await orphanSwept(-HOUR_MS)
  expect((await ann.get(address)).bytes.equals(bytes)).toBe(true)
})

test('puts race with the sweep that takes their service for dead: all that were acknowledged can be read', async () => {
  await using writing = await ground.start()
  await using _sweeping = await ground.start(SWEEPING)
  const ann = writing.client('ann')
  const bytes = randomBytes(70 * KIB)
  const stored: string[] = []
  let refused = 0
  const putMany = async () => {
    for (let round = 0; round < 25; round++) {
      const outcome = ann.put(bytes)
      await outcome.then(
        ({ address }) => stored.push(address),
        () => (refused += 1),
      )
    }
  }
  const expiring = ground.run('UPDATE offstage_storage.blob_writers SET lease_until = now()')
  const puts = Promise.all([putMany(), putMany(), putMany(), expiring])
  for (let round = 0; round < 20; round++) {
    await ground.run('UPDATE offstage_storage.blob_writers SET lease_until = now()')
    await orphanSwept(0)
  }
  await puts
  await orphanSwept(0)
  expect(stored.length).toBeGreaterThan(0)
  for (const address of stored) expect((await ann.get(address)).bytes.equals(bytes)).toBe(true)
  expect(stored.length + refused).toBe(75)
})

test('a half-written file goes once the lease of its service has run out, whatever its age', async () => {
  await using sweeping = await ground.start(SWEEPING)
  const ann = sweeping.client('ann')
  const { address } = await ann.put(randomBytes(100 * KIB))
  const writer = randomBytes(8).toString('hex')
  const blobId = `${randomBytes(8).toString('hex')}${writer}`
  const file = join(blobId.slice(0, 2), blobId)
  await ground.run(
    `INSERT INTO offstage_storage.blob_writers (id, lease_ms, lease_until)
     VALUES ($1, 3600000, now() + interval '1 hour')`,
    [writer],
  )
  await writeFile(pathOf(file), 'half')
  await dateFile(file, -2 * HOUR_MS)
  await orphanSwept(-2 * HOUR_MS)
  expect(await ground.blobFiles()).toContain(file)
  await ground.run('UPDATE offstage_storage.blob_writers SET lease_until = now() WHERE id = $1', [
    writer,
  ])
  await until(async () => !(await ground.blobFiles()).includes(file))
  expect((await ann.get(address)).bytes).toHaveLength(100 * KIB)
})
