import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { durationFrom } from '@offstage/proto/durations'
import {
  type DescribeExecutorRequest,
  type DescribeExecutorResponse,
  ExecutorControlServiceClient,
} from '@offstage/proto/executor'
import { Lane } from '@offstage/proto/jobs'
import { callUnary, createChannel } from '@offstage/sdk/grpc'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { setup } from '../testing/setup.ts'

const INLINE = Lane.LANE_INLINE

/** Makes the next attempt of the inline lane come to a thread that loads. */
async function loseThread({ attachment }: Awaited<ReturnType<typeof setup>>) {
  attachment.assign('lost', 'test.quit')
  await attachment.result('lost')
}

test('a cancel before the handler began ends at once as never started, and harms no neighbour', async () => {
  await using it = await setup()
  const { attachment } = it
  await loseThread(it)
  for (const id of ['a', 'b']) attachment.assign(id, 'test.echo', id)
  attachment.assign('canceled', 'test.echo')
  attachment.cancel('canceled', { graceMs: 0 })
  expect(await attachment.result('canceled')).toMatchObject({
    outcome: { $case: 'canceled' },
    neverStarted: true,
  })
  expect(await attachment.value('a')).toBe('a')
  expect(await attachment.value('b')).toBe('b')
  expect(attachment.handedBack).toEqual([])
})

test('a cancel of a running handler says that it had started', async () => {
  await using it = await setup()
  it.attachment.assign('a', 'test.obedient')
  await it.attachment.running('a')
  it.attachment.cancel('a', { graceMs: 60_000 })
  expect((await it.attachment.result('a')).neverStarted).toBe(false)
})

test('a deadline that runs out before the handler began fails the attempt, and harms no neighbour', async () => {
  await using it = await setup()
  const { attachment } = it
  attachment.assign('busy', 'test.compute', { forMs: 500 })
  await attachment.running('busy')
  attachment.assign('late', 'test.echo', 1, { attemptDeadline: durationFrom(50) })
  const fault = await attachment.fault('late')
  expect(fault).toMatchObject({ reason: 'ATTEMPT_DEADLINE_EXCEEDED' })
  expect(fault.detail).toContain('was not called')
  await attachment.value('busy')
})

test('attempts that their thread had not begun move to another one when it ends', async () => {
  await using it = await setup()
  const { attachment, executor } = it
  attachment.assign('busy', 'test.spin')
  await attachment.running('busy')
  attachment.assign('waiting', 'test.echo', 1)
  attachment.cancel('busy', { graceMs: 50 })
  expect(await attachment.value('waiting')).toBe(1)
  expect(attachment.handedBack).toEqual([])
  expect(executor.counts).toMatchObject({ attemptsMoved: 1, endedByForce: 1, handedBack: 0 })
})

test('a method that does not stop runs on threads of its own from then on, and so do those it hit', async () => {
  await using it = await setup()
  const { attachment, executor } = it
  attachment.assign('neighbour', 'test.obedient')
  await attachment.running('neighbour')
  attachment.assign('deaf', 'test.stubborn')
  await attachment.running('deaf')
  attachment.cancel('deaf', { graceMs: 10 })
  await expect.poll(() => attachment.handedBack).toEqual(['neighbour'])

  // It comes back, and however many deaf ones are ended now, none of them takes it along.
  attachment.assign('neighbour', 'test.obedient', undefined, { attempt: 2 })
  for (const id of ['deaf 2', 'deaf 3', 'deaf 4']) {
    attachment.assign(id, 'test.stubborn')
    await attachment.running(id)
    attachment.cancel(id, { graceMs: 10 })
    expect((await attachment.result(id)).outcome?.$case).toBe('canceled')
  }
  expect(attachment.handedBack).toEqual(['neighbour'])
  expect(executor.lanes[0].methodsApart).toEqual(['test.stubborn'])
  attachment.cancel('neighbour', { graceMs: 60_000, attempt: 2 })
  const ended = () => attachment.results.find(({ jobId }) => jobId === 'neighbour')
  await expect.poll(() => ended()?.outcome?.$case).toBe('canceled')
})

test('a thread is ended once, however many on it do not stop', async () => {
  await using it = await setup()
  const { attachment } = it
  const deaf = ['one', 'two', 'three']
  for (const id of deaf) {
    attachment.assign(id, 'test.stubborn')
    await attachment.running(id)
  }
  for (const id of deaf) attachment.cancel(id, { graceMs: 10 })
  for (const id of deaf) await attachment.result(id)
  const ends = it.logged.filter(({ msg }) => msg === 'a handler does not stop; ending its thread')
  expect(ends).toHaveLength(1)
})

test('the method that blocks a thread is moved away, not the one that could not hear its cancel', async () => {
  await using it = await setup()
  const { attachment, executor } = it
  attachment.assign('innocent', 'test.obedient')
  await attachment.running('innocent')
  attachment.assign('blocking', 'test.spin')
  await attachment.running('blocking')
  attachment.cancel('innocent', { graceMs: 10 })
  await attachment.result('innocent')
  expect(executor.lanes[0].methodsApart).toEqual(['test.spin'])
})

test.each(['stack', 'toJSON'])(
  'a handler whose %s never returns is known as the one that blocks its thread, though it has returned itself',
  async (as) => {
    await using it = await setup()
    const { attachment, executor } = it
    attachment.assign('innocent', 'test.obedient')
    await attachment.running('innocent')
    attachment.assign('endless', 'test.endless', { as })
    await attachment.running('endless')
    // Till it blocks.
    await until(
      () => executor.lanes[0].threads[Symbol.iterator]().next().value?.calling !== undefined,
    )
    attachment.cancel('innocent', { graceMs: 10 })
    await attachment.result('innocent')
    expect(executor.lanes[0].methodsApart).toEqual(['test.endless'])
    expect(attachment.handedBack).toEqual(['endless'])
  },
)

test('a handler may compute for long; what waits for its thread runs on another meanwhile', async () => {
  await using it = await setup()
  const { attachment, executor } = it
  attachment.assign('busy', 'test.compute', { forMs: 7_000 })
  await attachment.running('busy')
  attachment.assign('waiting', 'test.whereabouts')
  const other = await attachment.value('waiting')
  expect(attachment.results.map(({ jobId }) => jobId)).toEqual(['waiting'])
  expect(await attachment.value('busy')).not.toBe(other)
  expect(executor.counts).toMatchObject({ passedBy: 1, endedByForce: 0, handedBack: 0 })
})

test('each thread that is to begin an attempt is given twice the time of the one before', async () => {
  await using it = await setup()
  const { attachment } = it
  // Longer than the first thread may lag, shorter than the third.
  attachment.assign('slow', 'test.slow-to-begin', { forMs: 2_500 })
  const has = (id: string) => attachment.results.some(({ jobId }) => jobId === id)
  // A thread lags only where more comes than it has taken up.
  for (let n = 0; !has('slow'); n += 1) {
    attachment.assign(`behind ${n}`, 'test.echo', n)
    await pause(300)
  }
  expect(await attachment.value('slow')).toEqual(expect.any(Number))
  expect(await attachment.value('behind 0')).toBe(0)
}, 90_000)

test('an attempt that its thread has taken up and never begins moves to another one, though nothing else comes', async () => {
  await using it = await setup()
  const { attachment, executor } = it
  const folder = await mkdtemp(join(tmpdir(), 'offstage-stuck-'))
  attachment.assign('stuck', 'test.stuck-once', { mark: join(folder, 'mark') })
  expect(await attachment.value('stuck')).toEqual(expect.any(Number))
  expect(executor.counts).toMatchObject({ endedByForce: 1, handedBack: 0 })
  await rm(folder, { recursive: true })
})

test.each(['test.haunt', 'test.deafen'])(
  'a thread that runs nothing and takes up nothing, as after %s, is replaced (lanes inline and task)',
  async (method) => {
    await using it = await setup()
    const { attachment, executor } = it
    for (const lane of [INLINE, Lane.LANE_TASK]) {
      attachment.assign(`culprit ${lane}`, method, undefined, { lane })
      const thread = await attachment.value(`culprit ${lane}`)
      // Till what it has left behind is at work: what had begun before would be left to wait with it.
      await pause(500)
      attachment.assign(`next ${lane}`, 'test.whereabouts', undefined, { lane })
      expect(await attachment.value(`next ${lane}`)).not.toBe(thread)
    }
    expect(executor.counts).toMatchObject({ endedByForce: 2, handedBack: 0 })
  },
)

test('a handler that speaks in the place of its runner changes nothing but its own attempt', async () => {
  await using it = await setup()
  const { attachment, executor } = it
  attachment.assign('other', 'test.obedient', undefined, { lane: Lane.LANE_TASK })
  await attachment.running('other')
  attachment.assign('a', 'test.impostor', { keys: ['other/1', 'a/1', 'nobody/1'] })
  expect(await attachment.value('a')).toEqual({ given: [] })
  attachment.assign('b', 'test.echo', 'alive')
  expect(await attachment.value('b')).toBe('alive')
  expect([...executor.lanes].map(({ slots }) => [slots.active, slots.parked])).toEqual([
    [0, 0],
    [1, 0],
    [0, 0],
  ])
  expect(attachment.results.map(({ jobId }) => jobId)).toEqual(['a', 'b'])
})

test('a result that is detached fails its own job, and none of its neighbours', async () => {
  await using it = await setup()
  const { attachment } = it
  attachment.assign('neighbour', 'test.obedient')
  await attachment.running('neighbour')
  attachment.assign('a', 'test.detached')
  expect(await attachment.fault('a')).toMatchObject({
    reason: 'RESULT_NOT_SERIALIZABLE',
    retryable: false,
  })
  expect(attachment.results).toHaveLength(1)
})

test('a handler that puts another clock in the place of the timers holds up no report, of its own or of its neighbours', async () => {
  await using it = await setup()
  const { attachment } = it
  attachment.assign('timeless', 'test.timeless')
  await until(() => attachment.progress.some(({ progress }) => progress?.percent === 2))
  attachment.assign('neighbour', 'test.echo', 'alive')
  expect(await attachment.value('neighbour')).toBe('alive')
  attachment.cancel('timeless', { graceMs: 60_000 })
  await attachment.result('timeless')
  expect(it.executor.counts).toMatchObject({ handedBack: 0 })
})

test('an operator can read what became of attempts and threads', async () => {
  await using it = await setup()
  const { attachment, executor } = it
  attachment.assign('deaf', 'test.stubborn')
  await attachment.running('deaf')
  attachment.cancel('deaf', { graceMs: 10 })
  await attachment.result('deaf')
  await loseThread(it)
  const channel = createChannel(executor.address)
  const client = channel.client(ExecutorControlServiceClient)
  const described = await callUnary<DescribeExecutorRequest, DescribeExecutorResponse>(
    client.describeExecutor.bind(client),
    {},
  )
  channel.close()
  expect(described.counts).toMatchObject({
    attemptsFinished: 2n,
    threadsLost: 1n,
    threadsEndedByForce: 1n,
    methodsApart: ['test.stubborn', 'test.quit'],
  })
})
