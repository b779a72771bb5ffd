import { durationFrom } from '@offstage/proto/durations'
import {
  type DescribeExecutorRequest,
  type DescribeExecutorResponse,
  type DrainRequest,
  type DrainResponse,
  ExecutorControlServiceClient,
} from '@offstage/proto/executor'
import { callUnary, createChannel } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { setup } from './testing/setup.ts'

function connectTo(address: string) {
  const channel = createChannel(address)
  const client = channel.client(ExecutorControlServiceClient)
  return {
    describe: () =>
      callUnary<DescribeExecutorRequest, DescribeExecutorResponse>(
        client.describeExecutor.bind(client),
        {},
      ),
    drain: (grace: DrainRequest['grace']) =>
      callUnary<DrainRequest, DrainResponse>(client.drain.bind(client), { grace }),
    [Symbol.dispose]: () => channel.close(),
  }
}

test('a stop lets attempts finish within the grace', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_DRAIN_GRACE: '60s' })
  it.attachment.assign('a', 'test.finisher')
  await it.attachment.running('a')
  const stopped = it.executor.stop()
  await expect.poll(() => it.attachment.frames.some(({ draining }) => draining)).toBe(true)
  // Stands for work that comes to its natural end: the cancel releases it and it returns.
  it.attachment.cancel('a', { graceMs: 60_000 })
  await stopped
  expect(it.attachment.results).toMatchObject([{ jobId: 'a', outcome: { $case: 'succeeded' } }])
  expect(it.attachment.handedBack).toEqual([])
})

test('what has not finished within the grace is told why, and handed back, busy loops included', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_DRAIN_GRACE: '10ms' })
  it.attachment.assign('a', 'test.obedient')
  it.attachment.assign('b', 'test.spin', undefined, { lane: 2 })
  it.attachment.assign('c', 'test.finisher')
  for (const id of ['a', 'b', 'c']) await it.attachment.running(id)
  await it.executor.stop()
  expect(it.attachment.handedBack.sort()).toEqual(['a', 'b'])
  expect(await it.attachment.value('c')).toMatchObject({ code: 'EXECUTOR_DRAINING' })
  expect(it.attachment.results).toHaveLength(1)
})

test.each([
  ['negative', { seconds: -1n, nanos: 0 }],
  ['no duration', { seconds: 1n, nanos: -1 }],
  ['longer than ten years', { seconds: 1n << 40n, nanos: 0 }],
])('a grace that is %s is refused by name, and nothing drains', async (_, grace) => {
  await using it = await setup()
  using control = connectTo(it.executor.address)
  await expect(control.drain(grace)).rejects.toMatchObject({
    reason: 'INVALID_FIELD',
    violations: [{ field: 'grace' }],
  })
  expect(it.executor.draining).toBe(false)
})

test('a grace of years is waited for', async () => {
  await using it = await setup()
  using control = connectTo(it.executor.address)
  it.attachment.assign('a', 'test.finisher')
  await it.attachment.running('a')
  const drained = control.drain(durationFrom(5 * 365 * 86_400_000))
  await expect.poll(() => it.executor.draining).toBe(true)
  it.attachment.cancel('a', { graceMs: 60_000 })
  expect(await drained).toMatchObject({ finished: 1, handedBack: 0 })
})

test('what is assigned to a draining executor is handed back', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_DRAIN_GRACE: '60s' })
  it.attachment.assign('a', 'test.finisher')
  await it.attachment.running('a')
  const drained = it.executor.drain()
  it.attachment.assign('b', 'test.echo', 1)
  await expect.poll(() => it.attachment.handedBack).toEqual(['b'])
  it.attachment.cancel('a', { graceMs: 60_000 })
  expect(await drained).toEqual({ finished: 1, handedBack: 0 })
})

test('an operator can ask what an executor runs, and drain it', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_NAME: 'printer' })
  using control = connectTo(it.executor.address)
  it.attachment.assign('a', 'test.stubborn')
  await it.attachment.running('a')
  const described = await control.describe()
  expect(described).toMatchObject({
    name: 'printer',
    sessionId: it.executor.sessionId,
    attached: true,
    draining: false,
    lanes: [
      { lane: 1, slots: 1_000, used: 1 },
      { lane: 2, slots: 2, used: 0 },
      { lane: 3, slots: 4, used: 0 },
    ],
  })
  expect(described.methods.map(({ name }) => name)).toContain('test.greet')
  expect(await control.drain(durationFrom(10))).toEqual({ finished: 0, handedBack: 1 })
  expect(await control.describe()).toMatchObject({ draining: true, lanes: [{ used: 0 }, {}, {}] })
})
