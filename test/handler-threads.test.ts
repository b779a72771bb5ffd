import { setTimeout as pause } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { alone, family } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)

test('jobs that came to fresh threads succeed though the only scheduler dies and comes back within the lease', {
  timeout: 120_000,
}, async () => {
  await using cluster = await startCluster({
    jobs,
    schedulers: 1,
    executors: 1,
    storage: true,
    lease: '20s',
    env: { OFFSTAGE_EXECUTOR_WORK_SLOTS: '6' },
  })
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })
  const independent = await offstage.startJobs(
    alone,
    Array.from({ length: 3 }, () => ({ forMs: 500 })),
  )
  // These need the scheduler while it is away: for their children.
  const dependent = await offstage.startJobs(
    family,
    [1, 2, 3].map((n) => ({ n })),
  )
  const [scheduler] = cluster.schedulers
  await scheduler?.process.kill('SIGKILL')
  // Longer than five tries of a call take.
  await pause(4_700)
  await scheduler?.restart()
  const ends = await Promise.all(
    [...independent, ...dependent].map((job) => job.waitForCompletion()),
  )
  expect(ends.map(({ state }) => state)).toEqual(ends.map(() => 'succeeded'))
  for (const job of [...independent, ...dependent]) {
    expect((await job.refresh()).attempt).toBe(1)
  }
})
