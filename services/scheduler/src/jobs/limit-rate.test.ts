import { status } from '@grpc/grpc-js'
import { Offstage } from '@offstage/sdk'
import { defineMethod } from '@offstage/sdk/jobs'
import { expect, test } from 'vitest'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'

test('an owner who starts too many a second is told when to come back; others start, and nothing of the refused call is kept', async () => {
  await using it = await start({ config: { startsPerSecond: 10 } })
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

test('the SDK slows down where starts are limited, and fails none', async () => {
  await using it = await start({ config: { startsPerSecond: 20 } })
  await using _executor = await attachExecutor(it.scheduler.address, { slots: 0 })
  await using offstage = await Offstage.connect({ scheduler: it.scheduler.address, user: 'ann' })
  const method = defineMethod({ method: 'test.job' })
  // One second's worth is there at once, so some of these are refused first.
  const jobs = await Promise.all(Array.from({ length: 60 }, () => offstage.startJob(method)))
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(60)
}, 60_000)
