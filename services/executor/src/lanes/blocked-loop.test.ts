import { Lane } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { setup } from '../testing/setup.ts'

test('a handler that blocks the event loop of the inline lane is told of, by its method and the time; those of other lanes are not', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_INLINE_BLOCKED: '400ms' })
  const { attachment, executor } = it
  attachment.assign('elsewhere', 'test.compute', { forMs: 700 }, { lane: Lane.LANE_TASK })
  await attachment.value('elsewhere')
  expect(executor.counts.blockedMs.size).toBe(0)
  attachment.assign('neighbour', 'test.obedient')
  await attachment.running('neighbour')
  attachment.assign('a', 'test.compute', { forMs: 700 })
  await attachment.value('a')
  await until(() => executor.counts.blockedMs.has('test.compute'))
  expect(executor.counts.blockedMs.get('test.compute')).toBeGreaterThanOrEqual(400)
  expect(it.logged).toContainEqual(
    expect.objectContaining({
      msg: 'a handler blocked the event loop of the inline lane; others waited for it',
      methods: expect.arrayContaining(['test.compute', 'test.obedient']),
      blockedMs: expect.any(Number),
    }),
  )
})
