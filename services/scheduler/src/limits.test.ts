/** Each limit of a call holds at the edge: what is at it is taken, what is one beyond is refused by the name of its field. */
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Draft, millis } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'

let it: Awaited<ReturnType<typeof start>>
let executor: ScriptedExecutor
beforeAll(async () => {
  it = await start({ config: { sessionLeaseMs: 60_000 } })
  executor = await attachExecutor(it.address, { methods: ['test.job', text(200)], slots: 0 })
})
afterAll(async () => {
  await executor[Symbol.asyncDispose]()
  await it[Symbol.asyncDispose]()
})

type Spec = Draft<proto.JobSpec>
const text = (length: number, char = 'x') => char.repeat(length)
const TEN_YEARS = LIMITS.durationMsMax
const labels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, '']))
const inline = (bytes: number) => ({
  params: { source: { $case: 'inline' as const, value: Buffer.alloc(bytes, '1') } },
})

/** That of a version to come, which may say more than today's. */
const trace = (characters: number) =>
  `01-${'a'.repeat(32)}-${'b'.repeat(16)}-01-`.padEnd(characters, 'x')

describe('of a start', () => {
  test.each<[string, Spec, Spec]>([
    ['method', { method: text(200) }, { method: text(201) }],
    ['params.inline', inline(65_536), inline(65_537)],
    [
      'params.content_type',
      { params: { ...inline(1).params, contentType: `a/${text(98)}` } },
      { params: { ...inline(1).params, contentType: `a/${text(99)}` } },
    ],
    ['key', { key: text(200) }, { key: text(201) }],
    ['key', { key: text(200, '😀') }, { key: text(201, '😀') }],
    ['request_id', { requestId: text(100) }, { requestId: text(101) }],
    ['delay', { delay: millis(TEN_YEARS) }, { delay: millis(TEN_YEARS + 1) }],
    ['priority', { priority: 1_000 }, { priority: 1_001 }],
    ['priority', { priority: -1_000 }, { priority: -1_001 }],
    ['labels', { labels: labels(32) }, { labels: labels(33) }],
    ['labels[x', { labels: { [text(63)]: '' } }, { labels: { [text(64)]: '' } }],
    ['labels[a]', { labels: { a: text(255) } }, { labels: { a: text(256) } }],
    ['display_name', { displayName: text(200) }, { displayName: text(201) }],
    ['traceparent', { traceparent: trace(100) }, { traceparent: trace(101) }],
    ['tracestate', { tracestate: text(512) }, { tracestate: text(513) }],
    [
      'retry_policy.max_attempts',
      { retryPolicy: { maxAttempts: 1_000 } },
      { retryPolicy: { maxAttempts: 1_001 } },
    ],
    [
      'retry_policy.initial_backoff',
      { retryPolicy: { initialBackoff: millis(TEN_YEARS) } },
      { retryPolicy: { initialBackoff: millis(TEN_YEARS + 1) } },
    ],
    [
      'retry_policy.backoff_multiplier',
      { retryPolicy: { backoffMultiplier: 100 } },
      { retryPolicy: { backoffMultiplier: 100.1 } },
    ],
    ['retry_policy.jitter', { retryPolicy: { jitter: 1 } }, { retryPolicy: { jitter: 1.1 } }],
    [
      'deadlines.queue',
      { deadlines: { queue: millis(TEN_YEARS) } },
      { deadlines: { queue: millis(TEN_YEARS + 1) } },
    ],
    [
      'deadlines.attempt',
      { deadlines: { attempt: millis(LIMITS.attemptDeadlineMsMax) } },
      { deadlines: { attempt: millis(LIMITS.attemptDeadlineMsMax + 1) } },
    ],
  ])('%s', async (field, atLimit, beyond) => {
    await it.jobs.start({ method: 'test.job', ...atLimit })
    const refused = it.jobs.start({ method: 'test.job', ...beyond })
    await expect(refused).rejects.toThrow(`INVALID_ARGUMENT: ${field}`)
  })
})

const none = '00000000-0000-0000-0000-000000000000'
const count = (length: number) => Array.from({ length }, () => ({ method: 'test.job' }))

describe('of other calls', () => {
  test.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
    ['jobs', () => it.jobs.startMany(count(1_000)), () => it.jobs.startMany(count(1_001))],
    ['jobs', () => it.jobs.startMany(count(1)), () => it.jobs.startMany([])],
    [
      'inline_wait',
      () => it.jobs.start({ method: 'none' }, { waitMs: 60_000 }).catch(unknownMethod),
      () => it.jobs.start({ method: 'none' }, { waitMs: 60_001 }),
    ],
    [
      'namespace',
      () => it.jobs.start({ method: 'none' }, { namespace: text(63) }).catch(unknownMethod),
      () => it.jobs.start({ method: 'test.job' }, { namespace: text(64) }),
    ],
    [
      'job_ids',
      () => it.jobs.wait(Array.from({ length: 1_000 }, () => none)),
      () => it.jobs.wait(Array.from({ length: 1_001 }, () => none)),
    ],
    [
      'timeout',
      () => it.jobs.wait([none], { timeoutMs: 60_000 }),
      () => it.jobs.wait([none], { timeoutMs: 60_001 }),
    ],
    [
      'page_size',
      () => it.jobs.list({}, { pageSize: 1_000 }),
      () => it.jobs.list({}, { pageSize: 1_001 }),
    ],
    [
      'filter.methods',
      () => it.jobs.list({ methods: Array.from({ length: 100 }, () => 'a') }),
      () => it.jobs.list({ methods: Array.from({ length: 101 }, () => 'a') }),
    ],
    [
      'filter.owner',
      () => it.jobs.list({ owner: text(255) }),
      () => it.jobs.list({ owner: text(256) }),
    ],
    [
      'reason',
      () => it.jobs.cancel(none, { reason: text(1_000) }).catch(noJob),
      () => it.jobs.cancel(none, { reason: text(1_001) }),
    ],
    [
      'grace',
      () => it.jobs.cancel(none, { graceMs: 3_600_000 }).catch(noJob),
      () => it.jobs.cancel(none, { graceMs: 3_600_001 }),
    ],
  ])('%s', async (field, atLimit, beyond) => {
    await atLimit()
    await expect(beyond()).rejects.toThrow(`INVALID_ARGUMENT: ${field}`)
  })
})

function unknownMethod(error: Error): void {
  expect(error.message).toContain('no executor has announced the method')
}

function noJob(error: Error): void {
  expect(error.message).toContain('there is no job')
}
