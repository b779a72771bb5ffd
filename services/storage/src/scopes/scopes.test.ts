import { randomBytes } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { refusalOf, type TestClient } from '../testing/storage-client.ts'
import { type Ground, openGround, type Started } from '../testing/storage-fixture.ts'

const KIB = 1024

let ground: Ground
let storage: Started
let ann: TestClient

beforeAll(async () => {
  ground = await openGround()
  storage = await ground.start({ sweepEveryMs: 20 })
  ann = storage.client('ann')
})
afterAll(async () => {
  await storage[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

const runOut = (scope: string) =>
  ground.run(`UPDATE offstage_storage.scopes SET expire_time = now() WHERE id = $1`, [scope])
const rowsOf = (scope: string) =>
  ground.run(`SELECT FROM offstage_storage.temp_values WHERE scope = $1`, [scope])

test('closing a scope deletes its values, tells how many, and can be repeated', async () => {
  const { scope, lease } = await ann.openScope({ displayName: 'form' })
  expect(lease).toEqual({ seconds: 60n, nanos: 0 })
  const small = await ann.put(Buffer.from('x'), { scope })
  const large = await ann.put(randomBytes(100 * KIB), { scope })
  const reserved = await ann.reserve({ scope })
  const other = await ann.put(Buffer.from('elsewhere'))
  expect(small).toMatchObject({ scope, expireTime: undefined })
  expect((await ann.list({ scope })).values).toHaveLength(3)
  expect(await ann.closeScope(scope)).toEqual({ deletedCount: 3 })
  expect(await ann.closeScope(scope)).toEqual({ deletedCount: 0 })
  for (const { address } of [small, large, reserved]) {
    expect((await refusalOf(ann.describe(address))).reason).toBe('VALUE_NOT_FOUND')
  }
  expect((await ann.get(other.address)).bytes.toString()).toBe('elsewhere')
  await until(async () => (await ground.blobFiles()).length === 0)
})

test('a lease that runs out takes the values out of sight at once, and then from the disk', async () => {
  const { scope } = await ann.openScope()
  const { address } = await ann.put(randomBytes(100 * KIB), { scope })
  await runOut(scope)
  expect((await refusalOf(ann.get(address))).reason).toBe('VALUE_NOT_FOUND')
  expect((await refusalOf(ann.keepScopeAlive(scope))).reason).toBe('SCOPE_NOT_FOUND')
  await until(async () => (await rowsOf(scope)).length === 0)
  await until(async () => (await ground.blobFiles()).length === 0)
  await until(() => storage.events.some(({ subject }) => subject.endsWith('.values.expired')))
})

test('a sign of life puts off the end by the lease', async () => {
  const { scope } = await ann.openScope({ lease: { seconds: 3600n, nanos: 0 } })
  await ground.run(
    `UPDATE offstage_storage.scopes SET expire_time = now() + interval '1 minute' WHERE id = $1`,
    [scope],
  )
  const { expireTime } = await ann.keepScopeAlive(scope)
  const [row] = await ground.run(
    `SELECT expire_time > now() + interval '59 minutes' AS renewed, expire_time
     FROM offstage_storage.scopes WHERE id = $1`,
    [scope],
  )
  expect(row).toEqual({ renewed: true, expire_time: expireTime })
})

test('nothing can be put into a scope that is closed, foreign, or was never there', async () => {
  const { scope } = await ann.openScope()
  await ann.closeScope(scope)
  const late = await refusalOf(ann.put(Buffer.from('late'), { scope }))
  expect(late).toMatchObject({ reason: 'SCOPE_CLOSED', code: status.FAILED_PRECONDITION })
  const missing = `scp_${'0'.repeat(32)}`
  expect((await refusalOf(ann.put(Buffer.from('x'), { scope: missing }))).reason).toBe(
    'SCOPE_NOT_FOUND',
  )
  expect((await refusalOf(ann.reserve({ scope: missing }))).reason).toBe('SCOPE_NOT_FOUND')
  const { scope: elsewhere } = await ann.openScope({ namespace: 'elsewhere' })
  expect((await refusalOf(ann.reserve({ scope: elsewhere }))).reason).toBe('SCOPE_NOT_FOUND')
})

test('a put whose scope is closed while its bytes come is refused and leaves nothing', async () => {
  const { scope } = await ann.openScope()
  const { address } = await ann.reserve({ scope })
  const { stream, answer } = ann.beginPut()
  const header = { ...emptyHeader, address }
  stream.write({ part: { $case: 'header', value: header } })
  stream.write({ part: { $case: 'chunk', value: randomBytes(100 * KIB) } })
  await until(async () => (await ground.blobFiles()).length === 1)
  await ann.closeScope(scope)
  stream.end()
  expect((await refusalOf(answer)).reason).toBe('VALUE_NOT_FOUND')
  await until(async () => (await ground.blobFiles()).length === 0)
})

const emptyHeader = {
  namespace: '',
  address: '',
  contentType: '',
  scope: '',
  timeToLive: undefined,
  sha256: Buffer.alloc(0),
  uploadId: '',
  trailer: false,
  requestId: '',
  forJob: false,
  offset: 0n,
  owner: '',
}
