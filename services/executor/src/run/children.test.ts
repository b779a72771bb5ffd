import { Lane } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { setup } from '../testing/setup.ts'

test('a parent that waits gives its slot back and goes on without one (row J11)', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_TASK_SLOTS: '1' })
  const { attachment, scheduler } = it
  attachment.assign('parent', 'test.parent', undefined, { lane: Lane.LANE_TASK })
  const waiting = () => attachment.frames.flatMap((frame) => frame.waiting)
  await until(() => waiting().length === 1, { what: 'the parent waits' })
  expect(waiting()).toEqual([{ jobId: 'parent', attempt: 1, waiting: true }])
  await until(() => attachment.credits(Lane.LANE_TASK) === 2, { what: 'its credit is back' })

  // Its slot runs another job while its own thread is parked.
  attachment.assign('other', 'test.echo', 1, { lane: Lane.LANE_TASK })
  expect(await attachment.value('other')).toBe(1)
  scheduler.jobs.endChildren()
  expect(await attachment.value('parent')).toEqual([7, 7])
  expect(waiting().map((report) => report.waiting)).toEqual([true, false])
  expect(attachment.credits(Lane.LANE_TASK)).toBe(3)
})

test('more parents than threads could be parked leave the inline lane to their children', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_INLINE_SLOTS: '1' })
  const parents = 1_100
  for (let n = 0; n < parents; n += 1) it.attachment.assign(`parent ${n}`, 'test.parent')
  const [inline] = it.executor.lanes
  await until(() => inline.slots.parked === parents, { what: 'all to wait', timeoutMs: 30_000 })
  expect(inline.slots.active).toBe(0)
  it.attachment.assign('child', 'test.echo', 1)
  expect(await it.attachment.value('child')).toBe(1)
  it.scheduler.jobs.endChildren()
  expect(await it.attachment.value(`parent ${parents - 1}`)).toEqual([7, 7])
})

test('jobs that a handler starts are children, for the same owner (rows J5, J11)', async () => {
  await using it = await setup()
  it.scheduler.jobs.endChildren()
  it.attachment.assign('parent', 'test.parent')
  await it.attachment.result('parent')
  expect(it.scheduler.jobs.starts.map(({ job }) => job?.parentJobId)).toEqual(['parent', 'parent'])
  expect(it.scheduler.jobs.users).toEqual(['ann', 'ann'])
})
