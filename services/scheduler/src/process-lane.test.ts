/** A job of the lane `process` runs on executors that have it, and on no other (row A1). */
import { Lane } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const lane = Lane.LANE_PROCESS
const spec = { method: 'test.job', lane }

test('a job of the lane process waits for an executor that has it, and runs there', async () => {
  await using it = await start()
  await using plain = await attachExecutor(it.address, { auto: true })
  const { jobId } = await it.jobs.start(spec)
  expect((await it.jobs.explain(jobId)).text).toContain('has the lane process')
  const lanes = [
    { lane: Lane.LANE_INLINE, slots: 1 },
    { lane, slots: 1 },
  ]
  await using confined = await attachExecutor(it.address, {
    slots: 0,
    auto: true,
    hello: { lanes },
  })
  confined.say({ credits: [{ lane, slots: 1 }] })
  await it.jobs.wait([jobId])
  expect(confined.assignments).toMatchObject([{ jobId, lane }])
  expect(plain.assignments).toEqual([])
  expect((await it.jobs.get(jobId)).lane).toBe(lane)
})
