import { describe, expect, test } from 'vitest'
import { setUpClient } from '../testing/client-fixture.ts'
import { succeeded } from '../testing/fake-completions.ts'
import { Offstage } from './offstage.ts'

const start = (options: unknown) => (client: Offstage) =>
  client.startJob('a', {}, options as Record<string, never>)
const wait = (options: unknown) => (client: Offstage) =>
  client.job('job-1').waitForCompletion(options as Record<string, never>)
const list = (filter: unknown, options?: unknown) => (client: Offstage) =>
  client.listJobsPage(filter as Record<string, never>, options as Record<string, never>)

const circular: Record<string, unknown> = {}
circular.self = circular

// biome-ignore lint/suspicious/noExplicitAny: plain JavaScript may pass anything
type Loose = any

const SOMEWHERE = `val_${'0'.repeat(32)}`

describe('a wrong argument rejects before any call, and says what it must be', () => {
  test.each<[string, (client: Offstage) => Promise<unknown>]>([
    ['inlineWaitMs must be milliseconds from 0 to 60000, not NaN', start({ inlineWaitMs: NaN })],
    ['inlineWaitMs must be milliseconds', start({ inlineWaitMs: Infinity })],
    ['inlineWaitMs must be milliseconds', start({ inlineWaitMs: -5 })],
    ['inlineWaitMs must be milliseconds', start({ inlineWaitMs: '5' })],
    ['startAfter must be milliseconds', start({ startAfter: NaN })],
    [
      'startAfter must be a valid Date, or milliseconds, not an invalid Date',
      start({ startAfter: new Date('x') }),
    ],
    [
      'startAfter must be a valid Date, or milliseconds, not "2030-01-01"',
      start({ startAfter: '2030-01-01' }),
    ],
    ['priority must be a whole number from -1000 to 1000, not 1.5', start({ priority: 1.5 })],
    ['lane must be one of inline, task, work, process, not "fast"', start({ lane: 'fast' })],
    [
      'onKeyConflict must be one of refuse, return-running, queue-behind',
      start({ onKeyConflict: 1 }),
    ],
    ['key is null; leave it out where there is none', start({ key: null })],
    ['key must be a text or a value compared by content', start({ key: ['a'] })],
    ['requestId must be a text that is not empty, not ""', start({ requestId: '' })],
    ['labels must be an object of texts', start({ labels: { a: 1 } })],
    ['retry.maxAttempts must be from 1 to 1000, not "x"', start({ retry: { maxAttempts: 'x' } })],
    ['retry.jitter must be from 0 to 1, not NaN', start({ retry: { jitter: NaN } })],
    ['deadlines.attempt is not one of queueMs, attemptMs', start({ deadlines: { attempt: 5 } })],
    ['deadlines.attemptMs must be above 0', start({ deadlines: { attemptMs: Infinity } })],
    ['signal must be an AbortSignal, not an object', start({ signal: {} })],
    ['startJob has no option prority; it has onKeyConflict', start({ prority: 5 })],
    ['the options of startJob must be an object, not 5', start(5)],
    ['timeoutMs must be milliseconds, 0 or more, not NaN', wait({ timeoutMs: NaN })],
    ['timeoutMs must be milliseconds, 0 or more, not -1', wait({ timeoutMs: -1 })],
    ['timeoutMs must be milliseconds, 0 or more, not "100"', wait({ timeoutMs: '100' })],
    ['states must be one of scheduled', list({ states: ['runing'] })],
    ['kinds must be one of program', list({ kinds: ['x'] })],
    ['createdFrom must be a valid Date', list({ createdFrom: new Date('x') })],
    ['pageSize must be a whole number', list({}, { pageSize: 'x' })],
    ['scope must be a scope temp storage opened: "scp_" and', start({ scope: 'mine' })],
    ['resultAddress must be an address temp storage gave', start({ resultAddress: 'scp_1' })],
    ['additionalResult must be an address', start({ additionalResult: 'VAL_1' })],
    ['additionalResult must be true, false or an address', start({ additionalResult: 1 })],
    ['scope must be a scope', ({ storage }) => storage.put(1, { scope: 'mine' })],
    ['address must be an address', ({ storage }) => storage.put(1, { address: 'here' })],
    ['scope must be a scope', ({ storage }) => storage.reserve({ scope: 'mine' })],
    ['scope must be a scope', ({ storage }) => storage.list({ scope: 'mine' }).next()],
    ['address must be a text that is not empty', ({ storage }) => storage.get('')],
    ['address must be an address', ({ storage }) => storage.readAndDelete('here')],
    ['scope must be a scope', () => Offstage.connect({ scope: 'mine' })],
    ['codec must be "json", "cbor" or an', () => Offstage.connect({ codec: 'xml' as never })],
    ['codec.format must be', ({ storage }) => storage.put(1, { codec: { format: 1 as never } })],
    ['contentType must be a media', ({ storage }) => storage.get(SOMEWHERE, { contentType: 'x' })],
  ])('%s', async (message, call) => {
    await using it = await setUpClient()
    const error = await call(it.offstage).then(
      () => new Error('it was taken'),
      (thrown: Error) => thrown,
    )
    expect(error.message).toContain(message)
    expect(error.name).toMatch(/^(Type|Range)Error$/)
    expect(it.scheduler.metadata).toEqual([])
  })

  test.each<[string, (client: Loose) => unknown]>([
    ['what to start must be a job', (c) => c.startJob(undefined)],
    ['what to start must be a job', (c) => c.run({}, {})],
    ['parameters must be an array, not a Set; spread it', (c) => c.startJobs('a', new Set([1]))],
    ['parameters must be an array, not undefined', (c) => c.startJobsSettled('a')],
    ['parameters must be an array, not a Set', (c) => c.runAll('a', new Set([1]))],
    ['priority must be', (c) => c.startJobs('a', [1], { each: () => ({ priority: 'x' }) })],
    ['what is waited for must be an array, not a Set', (c) => c.waitAll(new Set())],
    ['must be handles of jobs, not "id"', (c) => c.waitAny(['id'])],
    ['graceMs must be milliseconds', (c) => c.cancel('x', { graceMs: Infinity })],
    ['the id must be a text, not undefined', (c) => c.cancel()],
    ['address must be a text that is not empty, not undefined', (c) => c.storage.get()],
    ['timeToLiveMs must be', (c) => c.storage.put('x', { timeToLiveMs: Infinity })],
    ['leaseMs must be', (c) => c.storage.openScope({ leaseMs: NaN })],
    ['address must be a text, not 5', (c) => c.storage.put('x', { address: 5 })],
    ['JSON has no bigint', (c) => c.storage.put(5n)],
    ['self: refers back', (c) => c.storage.put(circular)],
  ])('%s', async (message, call) => {
    await using it = await setUpClient()
    const answer = call(it.offstage as Loose)
    expect(answer).toBeInstanceOf(Promise)
    await expect(answer).rejects.toThrow(message)
    expect(it.scheduler.metadata).toEqual([])
  })
})

test.each([Infinity, 2 ** 31, 2 ** 40])('a timeout of %d ms is no limit', async (timeoutMs) => {
  await using it = await setUpClient()
  const job = await it.offstage.startJob('a')
  const wait = it.offstage.waitAll([job], { timeoutMs })
  it.scheduler.end(job.id, succeeded())
  expect(await wait).toMatchObject({ satisfied: true })
})
