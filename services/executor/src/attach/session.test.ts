import { status } from '@grpc/grpc-js'
import { Refusal } from '@offstage/kit/grpc'
import { createLogger } from '@offstage/kit/telemetry'
import { durationFrom } from '@offstage/proto/durations'
import { Lane } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { createExecutor, readExecutorConfig } from '../mod.ts'
import { setup, TEST_JOBS } from '../testing/setup.ts'

test('a broken stream is opened again with the same session, and attempts go on', async () => {
  await using it = await setup()
  const first = it.attachment
  first.assign('a', 'test.finisher')
  await first.running('a')
  first.end()
  const second = await it.scheduler.attachment(2)
  expect(second.hello.sessionId).toBe(first.hello.sessionId)
  expect(second.hello.running).toEqual([{ jobId: 'a', attempt: 1 }])
  await until(() => second.credits(Lane.LANE_INLINE) === 999, {
    what: 'credits for the free slots',
  })
  second.cancel('a', { graceMs: 60_000 })
  expect(await second.value('a')).toMatchObject({ reason: 'AbortError: the user said so' })
})

test('an extra that no reader could take fails its own job, and never the stream', async () => {
  await using it = await setup()
  it.attachment.assign('neighbour', 'test.obedient')
  await it.attachment.running('neighbour')
  it.attachment.assign('a', 'test.deep-message')
  expect(await it.attachment.fault('a')).toMatchObject({
    brief: 'extra is nested more than 32 levels deep',
    reason: 'TypeError',
  })
  it.attachment.assign('b', 'test.echo', 1)
  expect(await it.attachment.value('b')).toBe(1)
})

test('a result that was not acknowledged is said again with the next hello', async () => {
  await using it = await setup({}, (scheduler) => {
    scheduler.acknowledges = false
  })
  const first = it.attachment
  first.assign('a', 'test.echo', 1)
  first.assign('b', 'test.echo', 2)
  await first.result('b')
  first.acknowledge({ jobId: 'a', attempt: 1 })
  // The acknowledgement has been heard once a later order was obeyed.
  first.assign('c', 'test.obedient')
  await first.running('c')
  first.end()
  it.scheduler.acknowledges = true
  const second = await it.scheduler.attachment(2)
  expect(second.frames[0]?.results.map(({ jobId }) => jobId)).toEqual(['b'])
  expect(second.hello.running.map(({ jobId }) => jobId).sort()).toEqual(['b', 'c'])
  expect(second.messages.map(({ jobId, number }) => [jobId, number])).toEqual([['c', 1]])
})

test('what ends while there is no stream is told on the next one', async () => {
  await using it = await setup()
  it.scheduler.refusal = new Error('not now')
  it.attachment.assign('a', 'test.obedient', undefined, { attemptDeadline: durationFrom(300) })
  await it.attachment.running('a')
  it.attachment.end()
  await until(() => it.executor.lanes[0].slots.active === 0, { what: 'the attempt has ended' })
  it.scheduler.refusal = undefined
  const second = await it.scheduler.attachment(2)
  expect(await second.fault('a')).toMatchObject({ reason: 'ATTEMPT_DEADLINE_EXCEEDED' })
  expect(second.frames[0]?.results).toHaveLength(1)
})

test('a scheduler that will not have what hello announces is told of, and tried again', async () => {
  await using it = await setup()
  it.scheduler.refusal = new Refusal({ reason: 'NOT_IMPLEMENTED', message: 'no such deadline' })
  await using late = createExecutor({
    config: readExecutorConfig({
      OFFSTAGE_JOBS: TEST_JOBS,
      OFFSTAGE_SCHEDULER: it.scheduler.address,
      OFFSTAGE_EXECUTOR_PORT: '0',
    }),
    log: createLogger({ name: 'executor', level: 'silent' }),
  })
  await late.start()
  await expect(late.firstAttached).rejects.toThrow('no such deadline')
  it.scheduler.refusal = undefined
  await until(() => late.attached, { what: 'the executor attaches after all' })
})

test('a session that the scheduler no longer holds is given up with all its attempts', async () => {
  await using it = await setup()
  const first = it.attachment
  first.assign('a', 'test.finisher')
  await first.running('a')
  first.end(
    new Refusal({ code: status.ABORTED, reason: 'SESSION_FENCED', message: 'the lease ran out' }),
  )
  const second = await it.scheduler.attachment(2)
  expect(second.hello.sessionId).not.toBe(first.hello.sessionId)
  await until(() => second.credits(Lane.LANE_INLINE) === 1_000, { what: 'all slots are free' })
  second.assign('b', 'test.echo', 'alive')
  expect(await second.value('b')).toBe('alive')
  expect(second.results.map(({ jobId }) => jobId)).toEqual(['b'])
})

test('a lease that runs out without a stream makes a new session', async () => {
  await using it = await setup({}, (scheduler) => {
    scheduler.leaseMs = 300
  })
  const first = it.attachment
  first.assign('a', 'test.finisher')
  await first.running('a')
  const { sessionId } = it.executor
  it.scheduler.refusal = new Error('not now')
  first.end()
  await until(() => it.executor.sessionId !== sessionId, { what: 'another session' })
  it.scheduler.refusal = undefined
  const second = await it.scheduler.attachment(2)
  expect(second.hello.sessionId).toBe(it.executor.sessionId)
  expect(second.hello).toMatchObject({ lostSessionId: sessionId, running: [] })
  second.end()
  const third = await it.scheduler.attachment(3)
  expect(third.hello.lostSessionId, 'told once').toBe('')
})

test('heartbeats renew the lease of an idle executor', async () => {
  await using it = await setup({}, (scheduler) => {
    scheduler.leaseMs = 150
  })
  const beats = () => it.attachment.frames.filter(({ heartbeat }) => heartbeat).length
  await until(() => beats() >= 6, { what: 'six heartbeats' })
  expect(it.scheduler.attachments).toHaveLength(1)
})

test('a replica that goes away is left for another, with the same session', async () => {
  await using it = await setup()
  it.attachment.send({ drain: true })
  const second = await it.scheduler.attachment(2)
  expect(second.hello.sessionId).toBe(it.attachment.hello.sessionId)
  await until(() => !it.attachment.open, { what: 'the old stream has ended' })
})

test('an assignment that is said twice runs once', async () => {
  await using it = await setup()
  it.attachment.assign('a', 'test.finisher')
  await it.attachment.running('a')
  it.attachment.assign('a', 'test.finisher')
  it.attachment.cancel('a', { graceMs: 60_000 })
  await it.attachment.result('a')
  it.attachment.assign('b', 'test.echo', 1)
  await it.attachment.result('b')
  expect(it.attachment.results.map(({ jobId }) => jobId)).toEqual(['a', 'b'])
  await until(() => it.attachment.credits(Lane.LANE_INLINE) === 1_003, {
    what: 'every credit back',
  })
})
