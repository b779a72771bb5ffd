import { randomBytes } from 'node:crypto'
import { PutValueHeader } from '@offstage/proto/storage'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startFakeStorage } from '../testing/fake-storage.ts'
import { setup } from '../testing/setup.ts'

const ADDRESS = `val_${'7'.repeat(32)}`
const BYTES = randomBytes(5_000_000)
const SEALED = 'application/vnd.offstage.wrapped; of=bytes; by="seal:k1"'

/** An executor beside a storage that has some megabytes. */
async function setupWithBytes(contentType = 'application/octet-stream', bytes = BYTES) {
  const storage = await startFakeStorage()
  const it = await setup({ OFFSTAGE_STORAGE: storage.address })
  const header = PutValueHeader.fromPartial({ contentType })
  storage.values.set(ADDRESS, { header, bytes, user: 'ann' })
  return {
    ...it,
    storage,
    async [Symbol.asyncDispose]() {
      await it[Symbol.asyncDispose]()
      await storage[Symbol.asyncDispose]()
    },
  }
}

const at = (contentType = '') => ({
  params: { source: { $case: 'address' as const, value: ADDRESS }, contentType },
})

test('parameters that are a stream are read as they lie in storage, and by another attempt anew', async () => {
  await using it = await setupWithBytes()
  it.attachment.assign('a', 'test.reader', undefined, at())
  const { bytes, pieces } = (await it.attachment.value('a')) as Record<string, number>
  expect(bytes).toBe(BYTES.length)
  expect(pieces).toBeGreaterThan(10)
  it.attachment.assign('a', 'test.reader', undefined, { ...at(), attempt: 2 })
  await until(() => it.storage.offsets.length === 2)
  expect(it.storage.offsets).toEqual([0, 0])
})

test('a read that breaks goes on where it was', async () => {
  await using it = await setupWithBytes()
  it.storage.readBreaks = 2
  it.attachment.assign('a', 'test.reader', undefined, at())
  expect(await it.attachment.value('a')).toMatchObject({ bytes: BYTES.length })
  const chunk = 256 * 1024
  expect(it.storage.offsets).toEqual([0, chunk, 2 * chunk])
})

test('a handler that reads no further, or not at all, leaves no read open', async () => {
  // More than is under way unread: such a read ends only by being closed.
  await using it = await setupWithBytes('', Buffer.alloc(80_000_000))
  it.attachment.assign('a', 'test.reader', undefined, { ...at(), key: '3' })
  expect(await it.attachment.value('a')).toMatchObject({ pieces: 3 })
  await until(() => it.storage.readsOpen === 0)
  it.attachment.assign('b', 'test.dropper', undefined, at())
  const thread = await it.attachment.value('b')
  await until(() => it.storage.readsOpen === 0)
  // Nor a fault that its thread would end by.
  it.attachment.assign('c', 'test.whereabouts')
  expect(await it.attachment.value('c')).toBe(thread)
})

test('what a handler reads can be its result, as it comes', async () => {
  await using it = await setupWithBytes()
  it.attachment.assign('a', 'test.relay', undefined, at())
  const { outcome } = await it.attachment.result('a')
  const source = outcome?.$case === 'succeeded' ? outcome.value.source : undefined
  const stored = it.storage.values.get(source?.$case === 'address' ? source.value : '')
  expect(stored?.bytes.equals(BYTES)).toBe(true)
})

test('small parameters, whatever they are said to be, come as their bytes', async () => {
  await using it = await setupWithBytes()
  it.attachment.assign('a', 'test.reader', { n: 1 })
  expect(await it.attachment.value('a')).toMatchObject({ bytes: 7, pieces: 1 })
  it.attachment.assign('b', 'test.reader', undefined, { params: undefined })
  expect(await it.attachment.value('b')).toMatchObject({ bytes: 0, pieces: 0 })
})

test('parameters that are wrapped are no stream, whoever says so', async () => {
  await using it = await setupWithBytes(SEALED)
  it.attachment.assign('a', 'test.reader', undefined, at())
  it.attachment.assign('b', 'test.reader', undefined, at(SEALED))
  const source = { $case: 'inline' as const, value: Buffer.from('x') }
  it.attachment.assign('c', 'test.reader', undefined, { params: { source, contentType: SEALED } })
  for (const id of ['a', 'b', 'c']) {
    const { reason, brief, retryable } = await it.attachment.fault(id)
    expect({ reason, retryable }).toEqual({ reason: 'PARAMS_INVALID', retryable: false })
    expect(brief).toContain('codec json')
  }
})

test('a stream that cannot be had fails its handler as any call would', async () => {
  await using it = await setupWithBytes()
  it.storage.values.clear()
  it.attachment.assign('a', 'test.reader', undefined, at())
  expect(await it.attachment.fault('a')).toMatchObject({
    ...{ reason: 'VALUE_NOT_FOUND', retryable: false },
  })
})
