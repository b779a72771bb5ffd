/** A reservation or an opening whose answer was lost is repeated with its request id, and makes nothing new. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { refusalOf, type TestClient } from './testing/storage-client.ts'
import { type Ground, openGround, type Started } from './testing/storage-fixture.ts'

let ground: Ground
let storage: Started
let ann: TestClient

beforeAll(async () => {
  ground = await openGround()
  storage = await ground.start()
  ann = storage.client('ann')
})
afterAll(async () => {
  await storage?.[Symbol.asyncDispose]()
  await ground?.[Symbol.asyncDispose]()
})

const tenTimes = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: 10 }, work))

test('of ten reservations with one id at the same time, all are told the same address', async () => {
  const all = await tenTimes(() => ann.reserve({ requestId: 'r1' }))
  expect(new Set(all.map(({ address }) => address)).size).toBe(1)
  const { events } = storage
  expect(events.filter(({ subject }) => subject.endsWith('.reserved'))).toHaveLength(1)
})

test('the address is told again once it has a value, and not after it was deleted', async () => {
  const { address } = await ann.reserve({ requestId: 'r2' })
  await ann.put(Buffer.from('x'), { address })
  expect(await ann.reserve({ requestId: 'r2' })).toMatchObject({ address, reserved: false })
  await ann.delete(address)
  const next = await ann.reserve({ requestId: 'r2' })
  expect(next).toMatchObject({ reserved: true })
  expect(next.address).not.toBe(address)
})

test('an address that has run out, swept or not, is not told again', async () => {
  const { address } = await ann.reserve({ requestId: 'r3' })
  await ground.run(
    'UPDATE offstage_storage.temp_values SET expire_time = now() WHERE address = $1',
    [address],
  )
  const again = await tenTimes(() => ann.reserve({ requestId: 'r3' }))
  expect(new Set(again.map((value) => value.address)).size).toBe(1)
  expect(again[0]?.address).not.toBe(address)
})

test('another user, another namespace and another id get an address of their own', async () => {
  const bob = storage.client('bob')
  const all = await Promise.all([
    ann.reserve({ requestId: 'r4' }),
    bob.reserve({ requestId: 'r4' }),
    ann.reserve({ requestId: 'r4', namespace: 'other' }),
    ann.reserve({ requestId: 'r5' }),
    ann.reserve(),
    ann.reserve(),
  ])
  expect(new Set(all.map(({ address }) => address)).size).toBe(6)
})

test('the same id for another scope is refused, and so is one that is too long', async () => {
  const { scope } = await ann.openScope()
  await ann.reserve({ requestId: 'r6' })
  const refusal = await refusalOf(ann.reserve({ requestId: 'r6', scope }))
  expect(refusal).toMatchObject({ reason: 'REQUEST_ID_REUSED', fields: ['request_id'] })
  const long = await refusalOf(ann.reserve({ requestId: 'x'.repeat(101) }))
  expect(long).toMatchObject({ reason: 'INVALID_FIELD' })
})

test('a scope is opened once for each id, with the lease granted first, until it is closed', async () => {
  const lease = { seconds: 30n, nanos: 0 }
  const all = await tenTimes(() => ann.openScope({ requestId: 's1', lease }))
  const [first] = all
  expect(new Set(all.map(({ scope }) => scope)).size).toBe(1)
  expect(await ann.openScope({ requestId: 's1' })).toEqual(first)
  const { scope = '' } = first ?? {}
  await ann.closeScope(scope)
  expect((await ann.openScope({ requestId: 's1' })).scope).not.toBe(scope)
})

test('a scope whose lease has run out is not told again', async () => {
  const { scope } = await ann.openScope({ requestId: 's2' })
  await ground.run('UPDATE offstage_storage.scopes SET expire_time = now() WHERE id = $1', [scope])
  expect((await ann.openScope({ requestId: 's2' })).scope).not.toBe(scope)
})
