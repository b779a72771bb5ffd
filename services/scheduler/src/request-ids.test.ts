/** The same request id never stands for two starts (row J19): a repeat is known as one, anything else is refused. */
import { createHash } from 'node:crypto'
import type * as proto from '@offstage/proto/jobs'
import { v7 } from 'uuid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Draft } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'

let it: Awaited<ReturnType<typeof start>>
let executor: ScriptedExecutor
beforeAll(async () => {
  it = await start({ config: { sessionLeaseMs: 60_000 } })
  executor = await attachExecutor(it.address, { methods: ['test.job', 'test.two'], slots: 0 })
})
afterAll(async () => {
  await executor[Symbol.asyncDispose]()
  await it[Symbol.asyncDispose]()
})

type Spec = Draft<proto.JobSpec>
const inline = (text: string): Spec => ({
  params: { source: { $case: 'inline', value: Buffer.from(text) } },
})
const stored = (digit: string, text?: string): Spec => ({
  params: {
    source: { $case: 'address', value: `val_${digit.repeat(32)}` },
    ...(text !== undefined && { sha256: createHash('sha256').update(text).digest() }),
  },
})

const again: readonly [string, Spec, Spec][] = [
  ['with nothing', {}, {}],
  ['with the same parameters', inline('{"a":1}'), inline('{"a":1}')],
  ['with {} in place of nothing', {}, inline('{}')],
  ['with the same key', { key: 'k1' }, { key: 'k1' }],
  ['with the same parameters, stored anew', stored('1', 'big'), stored('2', 'big')],
  ['with what is stored at the same address', stored('1'), stored('1')],
  ['with stored parameters nobody knows the checksum of', stored('1'), stored('2', 'big')],
]
const others: readonly [string, Spec, Spec][] = [
  ['another method', {}, { method: 'test.two' }],
  ['another key', { key: 'k2' }, { key: 'k3' }],
  ['a key where there was none', {}, { key: 'k4' }],
  ['other parameters', inline('{"a":1}'), inline('{"a":2}')],
  [
    'parameters of another type',
    inline('1'),
    { params: { ...inline('1').params, contentType: 'a/b' } },
  ],
  ['other stored parameters', stored('1', 'big'), stored('2', 'bag')],
  ['stored parameters in place of others', inline('{"a":1}'), stored('1', 'big')],
]

for (const [kind, newId] of [
  ['an id that becomes the job’s', v7],
  ['another id', () => `order-${v7()}`],
] as const) {
  test.each(again)(`${kind}: a start repeated %s is the first`, async (_title, first, second) => {
    const requestId = newId()
    const { jobId } = await it.jobs.start({ method: 'test.job', ...first, requestId })
    const repeated = await it.jobs.start({ method: 'test.job', ...second, requestId })
    expect(repeated).toMatchObject({ jobId, existing: true })
    await it.jobs.cancel(jobId)
  })

  test.each(others)(`${kind}: a start with %s is refused`, async (_title, first, second) => {
    const requestId = newId()
    const { jobId } = await it.jobs.start({ method: 'test.job', ...first, requestId })
    const other = it.jobs.start({ method: 'test.job', ...second, requestId })
    await expect(other).rejects.toMatchObject({
      code: 6,
      message: expect.stringContaining('was used for another start'),
    })
    expect((await it.jobs.get(jobId)).requestId).toBe(requestId)
    await it.jobs.cancel(jobId)
  })
}

test.each([
  ['an id that is the other’s job', v7],
  ['another id', () => `order-${v7()}`],
])(
  '%s: a start of another user under it is their own, and tells nothing of the other',
  async (_, newId) => {
    const requestId = newId()
    const spec = { method: 'test.job', requestId }
    const { jobId } = await it.as('ann').start(spec)
    const bob = it.as('bob')
    const own = await bob.start(spec)
    expect(own).toMatchObject({ existing: false })
    expect(own.jobId).not.toBe(jobId)
    expect(await bob.start(spec)).toMatchObject({ jobId: own.jobId, existing: true })
    expect(await bob.get(own.jobId)).toMatchObject({ owner: 'bob', requestId })
    await expect(bob.start({ ...spec, method: 'test.two' })).rejects.toThrow('another start')
    // With a key that somebody holds, and one that is free.
    const keyed = { ...spec, requestId: newId(), key: v7() }
    await it.as('ann').start(keyed)
    const behind = await bob.start({ ...keyed, keyConflictPolicy: 3 })
    expect(await bob.start({ ...keyed, keyConflictPolicy: 3 })).toMatchObject({
      jobId: behind.jobId,
      existing: true,
    })
    expect(await it.as('ann').start(spec)).toMatchObject({ jobId, existing: true })
  },
)

test('of two different starts under one id in one call, the second is refused', async () => {
  const requestId = v7()
  const [first, second] = await it.jobs.startMany([
    { method: 'test.job', requestId, ...inline('1') },
    { method: 'test.job', requestId, ...inline('2') },
  ])
  expect(first?.outcome?.$case).toBe('started')
  expect(second?.outcome).toMatchObject({ $case: 'error', value: { code: 6 } })
})

test('a checksum of parameters has 32 bytes', async () => {
  const params = { ...stored('1').params, sha256: Buffer.alloc(20) }
  await expect(it.jobs.start({ method: 'test.job', params })).rejects.toThrow('params.sha256 must')
})
