import { Refusal } from '@offstage/kit/grpc'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startFakeStorage } from '../testing/fake-storage.ts'
import { setup } from '../testing/setup.ts'

const SHELF_7 = `val_${'7'.repeat(32)}`
const SHELF_8 = `val_${'8'.repeat(32)}`
const NOWHERE = `val_${'0'.repeat(32)}`

async function setupWithStorage() {
  const storage = await startFakeStorage()
  const it = await setup({ OFFSTAGE_STORAGE: storage.address })
  return {
    ...it,
    storage,
    async [Symbol.asyncDispose]() {
      await it[Symbol.asyncDispose]()
      await storage[Symbol.asyncDispose]()
    },
  }
}

async function addressOfResult(it: Awaited<ReturnType<typeof setup>>, jobId: string) {
  const { outcome } = await it.attachment.result(jobId)
  const source = outcome?.$case === 'succeeded' ? outcome.value.source : undefined
  if (source?.$case !== 'address') throw new Error(JSON.stringify(outcome))
  return source.value
}

test('a result over 64 KiB goes to temp storage, as the owner and the own of the job', async () => {
  await using it = await setupWithStorage()
  it.attachment.assign('a', 'test.large', { chars: 3_000_000 }, { scope: 'form-1' })
  const stored = it.storage.values.get(await addressOfResult(it, 'a'))
  expect(stored?.user).toBe('ann')
  expect(stored?.header).toMatchObject({
    ...{ scope: '', forJob: true, contentType: 'application/json' },
  })
  expect(JSON.parse(stored?.bytes.toString() ?? '')).toBe('x'.repeat(3_000_000))
})

test('a result with a reserved address goes there, however small (row L4)', async () => {
  await using it = await setupWithStorage()
  it.attachment.assign('a', 'test.echo', { n: 1 }, { resultAddress: SHELF_7 })
  expect(await addressOfResult(it, 'a')).toBe(SHELF_7)
  expect(it.storage.values.get(SHELF_7)?.bytes.toString()).toBe('{"n":1}')
})

test('a stream as result is stored as it comes', async () => {
  await using it = await setupWithStorage()
  it.attachment.assign('a', 'test.pages', { count: 3 })
  const stored = it.storage.values.get(await addressOfResult(it, 'a'))
  expect(stored?.bytes).toHaveLength(3_000)
  expect(stored?.header.contentType).toBe('application/octet-stream')
})

test('a stream that gives something else than bytes fails its job for good, and says what it gives', async () => {
  await using it = await setupWithStorage()
  it.attachment.assign('a', 'test.lines', {})
  expect(await it.attachment.fault('a')).toMatchObject({
    reason: 'RESULT_NOT_SERIALIZABLE',
    brief: 'The result cannot travel: result: a stream to put gives bytes, not "a line"',
    retryable: false,
  })
  expect(it.storage.values.size).toBe(0)
})

test('parameters at an address are fetched before the handler runs (row J3)', async () => {
  await using it = await setupWithStorage()
  it.attachment.assign('a', 'test.echo', { text: 'first' }, { resultAddress: SHELF_7 })
  await it.attachment.result('a')
  const params = { source: { $case: 'address' as const, value: SHELF_7 }, contentType: '' }
  it.attachment.assign('b', 'test.echo', undefined, { params })
  expect(await it.attachment.value('b')).toEqual({ text: 'first' })
})

test('parameters that are gone from storage fail the attempt for good', async () => {
  await using it = await setupWithStorage()
  const params = { source: { $case: 'address' as const, value: NOWHERE }, contentType: '' }
  it.attachment.assign('a', 'test.echo', undefined, { params })
  expect(await it.attachment.fault('a')).toMatchObject({
    reason: 'VALUE_NOT_FOUND',
    retryable: false,
  })
})

test('an attempt waits for a storage service that is away for a while', async () => {
  await using it = await setupWithStorage()
  it.storage.refusals = 6
  it.attachment.assign('a', 'test.echo', 'here', { resultAddress: SHELF_7 })
  expect(await addressOfResult(it, 'a')).toBe(SHELF_7)
  expect(it.storage.refusals).toBe(0)
})

const NO_ROOM = new Refusal({ reason: 'STORAGE_FULL', message: 'no room' })

test('a large result waits for room in a storage that is full, and the job says so once', async () => {
  await using it = await setupWithStorage()
  Object.assign(it.storage, { refusals: 3, refusal: NO_ROOM })
  it.attachment.assign('a', 'test.large', { chars: 100_000 })
  expect(it.storage.values.has(await addressOfResult(it, 'a'))).toBe(true)
  expect(it.storage.refusals).toBe(0)
  const told = it.attachment.messages.filter(({ jobId }) => jobId === 'a')
  expect(told.map(({ text }) => text)).toEqual([expect.stringContaining('has room')])
})

test('a job that waits for room in temp storage can be canceled', async () => {
  await using it = await setupWithStorage()
  Object.assign(it.storage, { refusals: 1_000_000, refusal: NO_ROOM })
  it.attachment.assign('a', 'test.large', { chars: 100_000 })
  await until(() => it.attachment.messages.length === 1)
  it.attachment.cancel('a', { graceMs: 60_000 })
  expect((await it.attachment.result('a')).outcome?.$case).toBe('canceled')
})

test.each([
  ['resultAddress', { resultAddress: SHELF_8 }, 'VALUE_NOT_FOUND'],
  [
    'additionalResult',
    { wantAdditionalResult: true, additionalResultAddress: SHELF_8 },
    'VALUE_NOT_FOUND',
  ],
  ['scope', { scope: SHELF_8 }, 'SCOPE_CLOSED'],
] as const)(
  'a job whose %s is gone fails for good before its handler runs',
  async (field, more, reason) => {
    await using it = await setupWithStorage()
    it.storage.gone.set(SHELF_8, reason)
    it.attachment.assign('a', 'test.counter', { to: 1 }, more)
    const fault = await it.attachment.fault('a')
    expect(fault).toMatchObject({ reason, retryable: false })
    expect(fault.brief).toContain(`${field}: ${SHELF_8} is gone`)
    expect(it.attachment.messages).toEqual([])
  },
)

test('a storage that cannot be asked holds no handler up', async () => {
  await using it = await setupWithStorage()
  it.storage.gone.set('form-1', 'STORAGE_UNAVAILABLE')
  it.attachment.assign('a', 'test.echo', 1, { scope: 'form-1' })
  expect(await it.attachment.value('a')).toBe(1)
})

test('storage is asked only for places that were given, and once for the jobs of one scope', async () => {
  await using it = await setupWithStorage()
  it.attachment.assign('a', 'test.echo', 1)
  await it.attachment.value('a')
  expect(it.storage.looks).toEqual([])
  for (const id of ['b', 'c']) {
    it.attachment.assign(id, 'test.echo', 1, { scope: 'form-1' })
    await it.attachment.value(id)
  }
  expect(it.storage.looks).toEqual(['form-1'])
})
