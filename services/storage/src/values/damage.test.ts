/** What a disk does to values: damage is told at once and for good by one name; a disk that is away is not damage. */
import { randomBytes } from 'node:crypto'
import {
  appendFile,
  mkdtemp,
  readdir,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDiskBlobs } from '../blobs/disk-blobs.ts'
import type { BlobStore } from '../ports/blobs.ts'
import { flipByte } from '../testing/flip-byte.ts'
import { refusalOf, type TestClient } from '../testing/storage-client.ts'
import { type Ground, openGround, type Started } from '../testing/storage-fixture.ts'

const KIB = 1024

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

async function fileOf(address: string): Promise<string> {
  const [row] = await ground.run(
    'SELECT blob_id FROM offstage_storage.temp_values WHERE address = $1',
    [address],
  )
  const blobId = String(row?.blob_id)
  return join(ground.dataDir, 'blobs', blobId.slice(0, 2), blobId)
}

const DAMAGED = { reason: 'VALUE_DAMAGED', code: status.DATA_LOSS }

test.each([
  ['a flipped byte', (file: string) => flipByte(file, 500 * KIB)],
  ['a truncated file', (file: string) => truncate(file, 500 * KIB)],
  ['a missing file', (file: string) => unlink(file)],
  ['a file that has grown', (file: string) => appendFile(file, 'xx')],
])('%s is told to every reader by one name, and the value stays', async (_what, damage) => {
  const { address } = await ann.put(randomBytes(700 * KIB))
  await damage(await fileOf(address))
  for (const offset of [0n, 400n * 1024n]) {
    expect(await refusalOf(ann.get(address, { offset }))).toMatchObject(DAMAGED)
  }
  expect(await refusalOf(ann.readAndDelete(address))).toMatchObject(DAMAGED)
  expect((await ann.describe(address)).size).toBe(BigInt(700 * KIB))
})

test('bytes that are sound can be read beside those that are not', async () => {
  const bytes = randomBytes(700 * KIB)
  const { address } = await ann.put(bytes)
  await flipByte(await fileOf(address), 300 * KIB)
  const rest = await ann.get(address, { offset: BigInt(600 * KIB) })
  expect(rest.bytes.equals(bytes.subarray(600 * KIB))).toBe(true)
  const stream = ann.raw.getValue({ address, offset: 0n, ifSha256: Buffer.alloc(0) }, ann.metadata)
  let sound = 0
  const reading = (async () => {
    for await (const { part } of stream) if (part?.$case === 'chunk') sound += part.value.length
  })()
  expect(await refusalOf(reading)).toMatchObject(DAMAGED)
  expect(sound).toBe(256 * KIB)
})

test('a small value is checked as well, also from an offset', async () => {
  const { address } = await ann.put(Buffer.from('sound'))
  await ground.run('UPDATE offstage_storage.temp_values SET inline_bytes = $1 WHERE address = $2', [
    Buffer.from('wrong'),
    address,
  ])
  expect(await refusalOf(ann.get(address, { offset: 2n }))).toMatchObject(DAMAGED)
})

test('while the directory is away nothing is taken for damaged', async () => {
  const bytes = randomBytes(100 * KIB)
  const { address } = await ann.put(bytes)
  await rename(ground.dataDir, `${ground.dataDir}-away`)
  const calls = [() => ann.get(address), () => ann.readAndDelete(address), () => ann.put(bytes)]
  for (const call of calls) {
    expect(await refusalOf(call())).toMatchObject({
      reason: 'STORAGE_UNAVAILABLE',
      code: status.UNAVAILABLE,
    })
  }
  // It lies in the database.
  const small = await ann.put(randomBytes(64 * KIB))
  expect((await ann.get(small.address)).bytes).toHaveLength(64 * KIB)
  await rename(`${ground.dataDir}-away`, ground.dataDir)
  expect((await ann.readAndDelete(address)).bytes.equals(bytes)).toBe(true)
})

test('a file that cannot be opened is not taken for damaged', async () => {
  const { address } = await ann.put(randomBytes(100 * KIB))
  const file = await fileOf(address)
  await unlink(file)
  // ELOOP; as root there is no EACCES.
  await symlink(file, file)
  for (const call of [() => ann.get(address), () => ann.readAndDelete(address)]) {
    expect(await refusalOf(call())).toMatchObject({ reason: 'STORAGE_UNAVAILABLE' })
  }
})

test('another directory than the one with its values is refused, and left as it is', async () => {
  const empty = await mkdtemp(join(tmpdir(), 'offstage-storage-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(empty, { recursive: true }) }
  const refused = ground.start({ dataDir: empty })
  await expect(refused).rejects.toThrow(/OFFSTAGE_STORAGE_DATA_DIR: .*not the folder/)
  expect(await readdir(empty)).toEqual([])
})

test.each(['get', 'readAndDelete'] as const)(
  '%s of a value replaced at that moment brings the new one',
  async (call) => {
    let beforeOpening = async () => {}
    const openBlobs = async (): Promise<BlobStore> => {
      const disk = await openDiskBlobs(ground.dataDir)
      const open: BlobStore['open'] = async (blobId) => {
        const once = beforeOpening
        beforeOpening = async () => {}
        await once()
        return disk.open(blobId)
      }
      return { ...disk, open }
    }
    await using racing = await ground.start({}, { openBlobs })
    const client = racing.client('ann')
    const { address } = await client.put(randomBytes(100 * KIB))
    const old = await fileOf(address)
    const newer = randomBytes(100 * KIB)
    beforeOpening = async () => {
      await client.put(newer, { address })
      await until(async () => !(await ground.blobFiles()).some((file) => old.endsWith(file)))
    }
    expect((await client[call](address)).bytes.equals(newer)).toBe(true)
  },
)
