import { randomBytes } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { refusalOf, type TestClient } from '../testing/storage-client.ts'
import { type Ground, openGround, type Started } from '../testing/storage-fixture.ts'

const KIB = 1024

let ground: Ground
let storage: Started
let ann: TestClient

beforeAll(async () => {
  ground = await openGround()
  storage = await ground.start({ sweepEveryMs: 20, ownerValuesMax: 3 })
  ann = storage.client('ann')
})
beforeEach(async () => {
  await ground.run('DELETE FROM offstage_storage.temp_values')
  await ground.run('DELETE FROM offstage_storage.finished_puts')
})
afterAll(async () => {
  await storage[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

const older = Buffer.from('older')
const newer = Buffer.from('newer')
const requestId = 'one'

test('a repeated put answers as the first did, and stores nothing', async () => {
  const first = await ann.put(older, { requestId })
  expect(await ann.put(older, { requestId })).toEqual(first)
  expect((await ann.list()).values).toEqual([first])
})

test('a repeated put of a large value leaves no second blob', async () => {
  const bytes = randomBytes(100 * KIB)
  const first = await ann.put(bytes, { requestId })
  expect(await ann.put(bytes, { requestId })).toEqual(first)
  expect(await ground.blobFiles()).toHaveLength(1)
  expect((await ann.get(first.address)).bytes.equals(bytes)).toBe(true)
})

test('a repeat does not put the older value over a newer one', async () => {
  const { address } = await ann.reserve()
  const first = await ann.put(older, { address, requestId })
  await ann.put(newer, { address })
  expect(await ann.put(older, { address, requestId })).toEqual(first)
  expect((await ann.get(address)).bytes.equals(newer)).toBe(true)
})

test('a repeat is answered though the put would be refused by now', async () => {
  const { address } = await ann.put(Buffer.from('x'))
  const first = await ann.put(older, { address, requestId })
  await ann.readAndDelete(address)
  expect(await ann.put(older, { address, requestId })).toEqual(first)
  const last = { requestId: 'last' }
  for (const text of ['a', 'b']) await ann.put(Buffer.from(text))
  const third = await ann.put(Buffer.from('c'), last)
  expect((await refusalOf(ann.put(Buffer.from('d')))).reason).toBe('QUOTA_EXCEEDED')
  expect(await ann.put(Buffer.from('c'), last)).toEqual(third)
})

test('other bytes, or another address, under the same id are refused and leave nothing', async () => {
  const { address } = await ann.put(older, { requestId })
  const bytes = await refusalOf(ann.put(randomBytes(100 * KIB), { requestId }))
  expect(bytes).toMatchObject({
    reason: 'REQUEST_ID_REUSED',
    code: status.ALREADY_EXISTS,
    fields: ['header.request_id'],
  })
  expect((await refusalOf(ann.put(older, { requestId, address }))).reason).toBe('REQUEST_ID_REUSED')
  expect((await ann.list()).values).toHaveLength(1)
  await until(async () => (await ground.blobFiles()).length === 0)
})

test("an id is the caller's own, in one namespace", async () => {
  const first = await ann.put(older, { requestId })
  const elsewhere = await ann.put(older, { requestId, namespace: 'elsewhere' })
  const theirs = await storage.client('bob').put(older, { requestId })
  expect(new Set([first, elsewhere, theirs].map(({ address }) => address)).size).toBe(3)
})

test('what one user has put is not told to another', async () => {
  await using strict = await ground.start(
    {},
    {
      authenticate: (metadata) => {
        const user = String(metadata.get('offstage-user')[0])
        return { user, roles: ['user'], namespaces: ['default'] }
      },
    },
  )
  const [owner, other] = [strict.client('ann'), strict.client('bob')]
  await owner.put(older, { requestId })
  const posing = await refusalOf(other.put(older, { requestId, owner: 'ann' }))
  expect(posing.reason).toBe('PERMISSION_DENIED')
  const uploadId = await owner.startUpload()
  await owner.put(older, { uploadId })
  expect((await refusalOf(other.getUpload(uploadId))).reason).toBe('UPLOAD_NOT_FOUND')
  expect((await refusalOf(other.put(older, { uploadId }))).reason).toBe('UPLOAD_NOT_FOUND')
})

test('an id is forgotten after a while', async () => {
  const first = await ann.put(older, { requestId })
  await ground.run('UPDATE offstage_storage.finished_puts SET forget_time = now()')
  await until(
    async () => (await ground.run('SELECT FROM offstage_storage.finished_puts')).length === 0,
  )
  expect((await ann.put(newer, { requestId })).address).not.toBe(first.address)
})

test('an id is at most 100 characters long, and not for uploads', async () => {
  const long = await refusalOf(ann.put(older, { requestId: 'x'.repeat(101) }))
  expect(long.fields).toEqual(['header.request_id'])
  const upload = await refusalOf(ann.startUpload({ requestId }))
  expect(upload.fields).toEqual(['header.request_id'])
})
