/** What one caller floods temp storage with is waited for by that caller, and by nobody else. */
import type { Database } from '@offstage/kit/database'
import { GetValueRequest, PutValueHeader } from '@offstage/proto/storage'
import { openStalledReader, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { openFreshDatabase } from './testing/fresh-database.ts'
import { openGround } from './testing/storage-fixture.ts'

const METHOD = '/offstage.storage.v1.StorageService/GetValue'

test('downloads that are never read and puts that never go on keep nobody else from theirs', async () => {
  await using ground = await openGround()
  await using storage = await ground.start({ callerStreamsMax: 120 })
  await using open = new AsyncDisposableStack()
  const mallory = storage.client('mallory')
  const { address } = await mallory.put(Buffer.alloc(4 * 1024 * 1024, 1))
  const request = GetValueRequest.encode(GetValueRequest.fromPartial({ address })).finish()
  const readers = await Promise.all(
    Array.from({ length: 100 }, () =>
      openStalledReader(storage.address, METHOD, request, { 'offstage-user': 'mallory' }),
    ),
  )
  for (const reader of readers) open.use(reader)
  await until(() => readers.every((reader) => reader.received() > 32 * 1024), { what: 'bytes' })
  const puts = Array.from({ length: 20 }, () => mallory.beginPut())
  for (const { stream } of puts) {
    stream.write({ part: { $case: 'header', value: PutValueHeader.fromPartial({}) } })
    open.defer(() => stream.cancel())
  }
  // No more than a caller may have open; the reason says so.
  await until(
    async () => /120 streams open/.test(await mallory.put(Buffer.from('x')).then(String, String)),
    { what: 'a refusal' },
  )
  const ann = storage.client('ann')
  const bytes = Buffer.alloc(2 * 1024 * 1024, 2)
  const value = await ann.put(bytes)
  expect((await ann.get(value.address)).bytes.equals(bytes)).toBe(true)
}, 60_000)

test('calls of one caller whose statements never end hold up no put and no read of another', async () => {
  const gate = Promise.withResolvers<void>()
  let held = 0
  let slow = ''
  const between = (database: Database): Database => ({
    ...database,
    query: (statement, values = []) =>
      values[0] === slow
        ? database.transaction(async (tx) => {
            held += 1
            await gate.promise
            return tx.query(statement, values)
          })
        : database.query(statement, values),
  })
  await using ground = await openGround(async () =>
    between(await openFreshDatabase({ poolSize: 6 })),
  )
  await using storage = await ground.start()
  const mallory = storage.client('mallory')
  slow = (await mallory.put(Buffer.from('x'))).address
  let answered = 0
  for (let i = 0; i < 500; i++) {
    mallory.raw.describeValue({ address: slow }, mallory.metadata, () => {
      answered += 1
    })
  }
  await until(() => held > 0, { what: 'a statement that does not end' })
  const ann = storage.client('ann')
  const value = await ann.put(Buffer.from('hello'))
  expect((await ann.get(value.address)).bytes.toString()).toBe('hello')
  expect(answered).toBe(0)
  gate.resolve()
  await until(() => answered === 500, { what: 'all answers', timeoutMs: 30_000 })
}, 60_000)
