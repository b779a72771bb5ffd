/** Heartbeats, and what is overdue, on real threads (row J17). */
import { durationFrom } from '@offstage/proto/durations'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { setup } from '../testing/setup.ts'

const heartbeatDeadline = durationFrom(1_000)
const inline = (value: unknown) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(value)) },
  contentType: '',
})

test('a handler that says nothing is stopped, and fails as retryable by a reason of its own', async () => {
  await using it = await setup()
  it.attachment.assign('a', 'test.obedient', undefined, { heartbeatDeadline })
  const fault = await it.attachment.fault('a')
  expect(fault).toMatchObject({ reason: 'HEARTBEAT_DEADLINE_EXCEEDED', retryable: true })
  expect(fault.brief).toContain('1000 ms')
})

test.each([
  ['heartbeat', { heartbeatDeadline }, 'HEARTBEAT_DEADLINE_EXCEEDED'],
  ['total', { totalDeadline: durationFrom(50) }, 'TOTAL_DEADLINE_EXCEEDED'],
  ['attempt', { attemptDeadline: durationFrom(50) }, 'ATTEMPT_DEADLINE_EXCEEDED'],
])('the signal of a handler says that it was the %s deadline', async (_, deadline, code) => {
  await using it = await setup()
  it.attachment.assign('a', 'test.mute', undefined, deadline)
  expect(await it.attachment.value('a')).toEqual({ name: 'TimeoutError', code })
})

test('past the total deadline nothing is worth a retry, and the sooner of two deadlines counts', async () => {
  await using it = await setup()
  const soon = durationFrom(50)
  const late = durationFrom(60_000)
  const { attachment } = it
  attachment.assign('a', 'test.obedient', undefined, { totalDeadline: soon, attemptDeadline: late })
  attachment.assign('b', 'test.obedient', undefined, { totalDeadline: late, attemptDeadline: soon })
  expect(await attachment.fault('a')).toMatchObject({
    reason: 'TOTAL_DEADLINE_EXCEEDED',
    retryable: false,
  })
  expect(await attachment.fault('b')).toMatchObject({
    reason: 'ATTEMPT_DEADLINE_EXCEEDED',
    retryable: true,
  })
})

test('a handler that speaks may take longer than its heartbeat deadline, and one that waits for children too', async () => {
  await using it = await setup()
  const { attachment, scheduler } = it
  attachment.assign('speaks', 'test.rows', { count: 40 }, { heartbeatDeadline })
  attachment.assign('waits', 'test.parent', undefined, { heartbeatDeadline })
  expect(await attachment.value('speaks')).toEqual({ from: 0 })
  scheduler.jobs.endChildren()
  expect(await attachment.value('waits')).toEqual([7, 7])
})

test('a handler that was not called yet is not silent, and the scheduler hears that it is not', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_INLINE_SLOTS: '5' })
  const { attachment } = it
  attachment.assign('busy', 'test.compute', { forMs: 2_500 })
  await attachment.running('busy')
  attachment.assign('late', 'test.echo', 1, { heartbeatDeadline })
  expect(await attachment.value('late')).toBe(1)
})

test('the last data of an attempt leaves before its end, and the next attempt is given it', async () => {
  await using it = await setup()
  const { attachment } = it
  attachment.assign('a', 'test.rows', { count: 9, failAt: 7 })
  await attachment.fault('a')
  const said = () => attachment.frames.flatMap(({ progress }) => progress)
  await until(() => said().length > 0)
  const last = said().at(-1)?.heartbeatData?.source?.value.toString()
  expect(JSON.parse(last ?? '')).toEqual({ row: 7 })
  const heartbeatData = inline({ row: 7 })
  attachment.assign('b', 'test.rows', { count: 9 }, { attempt: 2, heartbeatData })
  expect(await attachment.value('b')).toEqual({ from: 7 })
})

test('data that is too large, or that JSON cannot hold, is refused by its name', async () => {
  await using it = await setup()
  it.attachment.assign('a', 'test.overfull')
  const refused = (await it.attachment.value('a')) as string[]
  expect(refused).toHaveLength(3)
  expect(refused[0]).toMatch(/data has 65538 bytes as JSON, more than 65536/)
  expect(refused[1]).toMatch(/data\.n: /)
  expect(refused[2]).toMatch(/data/)
})

test('bare heartbeats of a job without a heartbeat deadline stay where they are', async () => {
  await using it = await setup()
  it.attachment.assign('a', 'test.spin')
  await it.attachment.running('a')
  it.attachment.cancel('a', { graceMs: 300 })
  await it.attachment.result('a')
  expect(it.attachment.frames.flatMap(({ progress }) => progress)).toEqual([])
})
