import { randomBytes } from 'node:crypto'
import { ReadAndDeleteValueRequest } from '@offstage/proto/storage'
import { HTTP2_WINDOW_BYTES, openStalledReader, until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestClient } from '../testing/storage-client.ts'
import { type Ground, openGround, type Started } from '../testing/storage-fixture.ts'

const MIB = 1024 * 1024

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

/** Takes as much as HTTP/2 sends unasked, and dies. */
async function readALittleAndDie(address: string): Promise<void> {
  const request = ReadAndDeleteValueRequest.encode({ address, ifSha256: Buffer.alloc(0) }).finish()
  const method = '/offstage.storage.v1.StorageService/ReadAndDeleteValue'
  const headers = { 'offstage-user': 'ann' }
  using reader = await openStalledReader(storage.address, method, request, headers)
  await until(() => reader.received() >= HTTP2_WINDOW_BYTES)
}

const claimOf = async (address: string) =>
  (
    await ground.run('SELECT claim FROM offstage_storage.temp_values WHERE address = $1', [address])
  ).at(0)?.claim

test.each([0.3, 1, 2, 5])('a reader that dies early in %d MiB leaves the value', async (mib) => {
  const bytes = randomBytes(mib * MIB)
  const { address } = await ann.put(bytes)
  await readALittleAndDie(address)
  await until(async () => (await claimOf(address)) === null)
  const read = await ann.readAndDelete(address)
  expect(read.bytes.equals(bytes)).toBe(true)
  expect(await claimOf(address)).toBeUndefined()
})

test('a value that is not the one meant is not read, and stays', async () => {
  const { address, sha256 } = await ann.put(Buffer.from('one'))
  await ann.put(Buffer.from('another'), { address })
  await expect(ann.readAndDelete(address, sha256)).rejects.toThrow('does not have the SHA-256')
  expect(await claimOf(address)).toBeNull()
  const { bytes } = await ann.readAndDelete(address)
  expect(bytes.toString()).toBe('another')
})
