/** What executors in any language send as results: recorded where every client can read it, else the attempt fails, saying why. */
import type { AttemptResult } from '@offstage/proto/executor'
import { JobState, type Payload } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Draft } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'

let it: Awaited<ReturnType<typeof start>>
let executor: ScriptedExecutor
beforeAll(async () => {
  it = await start({ config: { sessionLeaseMs: 60_000 } })
  executor = await attachExecutor(it.address, { slots: 1_000 })
})
afterAll(async () => {
  await executor[Symbol.asyncDispose]()
  await it[Symbol.asyncDispose]()
})

const ADDRESS = `val_${'0a'.repeat(16)}`
const inline = (value: Buffer | string, contentType = '') => ({
  source: { $case: 'inline' as const, value: Buffer.from(value as Buffer) },
  contentType,
})
const address = (value: string, contentType = '') => ({
  source: { $case: 'address' as const, value },
  contentType,
})
const textOf = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2))

/** The job after its executor has ended it so. */
async function ended(end: Draft<AttemptResult>, wantAdditionalResult = false) {
  const { jobId } = await it.jobs.start({
    method: 'test.job',
    wantAdditionalResult,
    retryPolicy: { maxAttempts: 3 },
  })
  await until(() => executor.assignments.some((assignment) => assignment.jobId === jobId))
  executor.say({ results: [{ jobId, attempt: 1, ...end }] })
  await it.jobs.wait([jobId])
  expect(executor.error).toBeUndefined()
  return it.jobs.get(jobId)
}

const succeeded = (value: Draft<Payload>, additionalResult?: Draft<Payload>) =>
  ({ outcome: { $case: 'succeeded', value }, additionalResult }) as Draft<AttemptResult>

describe('a result that cannot be taken fails its attempt', () => {
  test.each<[string, string, Draft<Payload>]>([
    ['that is not JSON', 'is not JSON, though its content type says so', inline('{not json')],
    ['that says it is JSON', 'is not JSON', inline('a', 'application/json; charset=utf-8')],
    ['that is not UTF-8', 'is not JSON', inline(Buffer.from([0x22, 0xff, 0x22]))],
    ['of 64 KiB and one byte', 'has 65537 bytes inline', inline(textOf(65_537))],
    ['of 5 MiB', 'has 5242880 bytes inline', inline(Buffer.alloc(5_242_880), 'x/y')],
    [
      'of nearly a whole message',
      'has 16777016 bytes inline',
      inline(Buffer.alloc(16_777_016), 'x/y'),
    ],
    ['at no address', 'has an address that must be an address', address('../../etc/passwd')],
    ['at an empty address', 'has an empty address', address('')],
    [
      'with half a checksum',
      'has a sha256 that must be 32 bytes',
      { ...address(ADDRESS), sha256: Buffer.alloc(16) },
    ],
    ['of two lines of type', 'has a content type that must be', inline('a', 'text/a\r\nb: c')],
    [
      'of a type too long',
      'has a content type that must be at most',
      inline('', `a/${'b'.repeat(99)}`),
    ],
  ])('%s', async (_title, detail, result) => {
    const { state, completion, attempt } = await ended(succeeded(result))
    expect({ state, attempt }).toEqual({ state: JobState.JOB_STATE_FAILED, attempt: 1 })
    expect(completion?.error).toMatchObject({ reason: 'RESULT_REFUSED', retryable: false })
    expect(completion?.error?.detail).toContain(`The result ${detail}`)
    const { statuses } = await it.jobs.wait([(await it.jobs.list()).jobs[0]?.jobId ?? ''])
    expect(statuses[0]?.completion?.state).toBe(JobState.JOB_STATE_FAILED)
  })
})

test.each<[string, Draft<Payload>]>([
  ['of 64 KiB', inline(textOf(65_536))],
  ['of bytes that are anything', inline(Buffer.from([0xff, 0x00]), 'application/octet-stream')],
  ['of no bytes', inline('')],
  ['of a type of 100 characters', inline('a', `a/${'b'.repeat(98)}`)],
  ['with a parameter of its type', inline('ä', 'text/plain; charset="utf-8"')],
  ['at an address', address(ADDRESS, 'text/csv')],
  ['of a procedure', {}],
])('a result %s is recorded, and can be read', async (_title, result) => {
  const { state, completion } = await ended(succeeded(result))
  expect(state).toBe(JobState.JOB_STATE_SUCCEEDED)
  expect(completion?.result?.source).toEqual((result as Payload).source)
})

test('the checksum of a result in temp storage is told with it, of the additional result too', async () => {
  const at = (byte: number) => ({ ...address(ADDRESS), sha256: Buffer.alloc(32, byte) })
  const { completion } = await ended(succeeded(at(1), at(2)), true)
  expect(completion?.result).toMatchObject(at(1))
  expect(completion?.additionalResult).toMatchObject(at(2))
})

test('an additional result is taken where one was asked for, and checked like the result', async () => {
  const value = inline('1')
  const taken = await ended(succeeded(value, inline('2')), true)
  expect(taken.completion?.additionalResult?.source).toEqual(inline('2').source)
  for (const [additional, wanted, detail] of [
    [inline('2'), false, 'There is an additional result nobody asked for.'],
    [inline('{'), true, 'The additional result is not JSON'],
    [inline(textOf(65_537)), true, 'The additional result has 65537 bytes inline'],
  ] as const) {
    const { completion } = await ended(succeeded(value, additional), wanted)
    expect(completion?.error?.reason).toBe('RESULT_REFUSED')
    expect(completion?.error?.detail).toContain(detail)
  }
})

test('a failure stays the handler’s own, whatever additional result came with it', async () => {
  const value = { brief: 'no', reason: 'MINE', retryable: false }
  const failed = { outcome: { $case: 'failed' as const, value }, additionalResult: inline('2') }
  const { completion } = await ended(failed as Draft<AttemptResult>)
  expect(completion?.error).toMatchObject({ brief: 'no', reason: 'MINE' })
  expect(completion?.additionalResult).toBeUndefined()
})

test('of an error as much is kept as its limits have room for', async () => {
  const value = { brief: 'ä'.repeat(1_001), detail: 'ä'.repeat(20_000), reason: 'R'.repeat(201) }
  const failed = { outcome: { $case: 'failed' as const, value } }
  const { completion } = await ended(failed as Draft<AttemptResult>)
  expect(completion?.error).toMatchObject({
    brief: 'ä'.repeat(1_000),
    detail: 'ä'.repeat(16 * 1_024),
    reason: 'R'.repeat(200),
  })
})

test('of two results of an attempt the first is recorded, and told to whoever waits', async () => {
  const waiting = it.jobs.start({ method: 'test.job' }, { waitMs: 10_000 })
  const { jobId = '' } = (await executor.assigned(executor.assignments.length + 1)).at(-1) ?? {}
  const first = inline('"first"')
  const both = [first, inline('"second"')]
  executor.say({
    results: both.map((value) => ({ jobId, attempt: 1, outcome: { $case: 'succeeded', value } })),
  })
  expect((await waiting).completion?.result).toEqual(first)
  expect((await it.jobs.get(jobId)).completion?.result).toEqual(first)
})

test('a cancel that nobody asked for is none, and fails the attempt', async () => {
  const job = await ended({ outcome: { $case: 'canceled', value: 'so I say' }, neverStarted: true })
  expect(job).toMatchObject({
    state: JobState.JOB_STATE_FAILED,
    completion: { cancelOutcome: 0, error: { reason: 'RESULT_REFUSED', retryable: false } },
    attempts: [{ attempt: 1, outcome: JobState.JOB_STATE_FAILED }],
  })
})
