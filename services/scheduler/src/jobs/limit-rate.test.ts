import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { attachExecutor } from '../testing/scripted-executor.ts'
import { setup } from '../testing/setup.ts'

test('an owner who starts too many a second is told when to come back; others start, and nothing of the refused call is kept', async () => {
  await using it = await setup({ config: { startsPerSecond: 10 } })
  await using _executor = await attachExecutor(it.scheduler.address, { slots: 0 })
  const mallory = it.as('mallory')
  const batch = Array.from({ length: 1_000 }, () => ({ method: 'test.job' }))
  await mallory.startMany(batch)
  await expect(mallory.startMany(batch)).rejects.toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: expect.stringContaining('more than 10 jobs a second'),
  })
  await expect(mallory.start({ method: 'test.job' })).rejects.toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
  })
  await it.as('ann').start({ method: 'test.job' })
  const { rows } = await it.database.query<{ count: number }>({
    name: '',
    text: "SELECT count(*)::int AS count FROM offstage.jobs WHERE owner = 'mallory'",
  })
  expect(rows).toEqual([{ count: 1_000 }])
})
