import { Offstage } from '@offstage/sdk'
import { spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const executorMain = new URL('../services/executor/src/main.ts', import.meta.url)

test('an address given for another is told with who answers there and who was meant', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1, storage: true })
  const { storage } = cluster
  const [executor] = cluster.executors
  const [scheduler] = cluster.schedulers

  await expect(Offstage.connect({ scheduler: storage })).rejects.toMatchObject({
    reason: 'WRONG_SERVICE',
    message: `${storage} is the storage service, not the scheduler. OFFSTAGE_SCHEDULER sets the address.`,
  })
  await expect(Offstage.connect({ scheduler: executor?.address })).rejects.toThrow(
    `${executor?.address} is an executor, not the scheduler.`,
  )

  await using offstage = await Offstage.connect({
    scheduler: scheduler?.address,
    storage: scheduler?.address,
  })
  const mixedUp = `${scheduler?.address} is the scheduler, not the storage service. OFFSTAGE_STORAGE sets the address.`
  await expect(offstage.storage.put({ n: 1 })).rejects.toThrow(mixedUp)
  await expect(offstage.storage.get(`val_${'0'.repeat(32)}`)).rejects.toThrow(mixedUp)

  // Its log says so, and it goes on trying.
  await using lost = await spawnProcess({
    main: executorMain,
    env: {
      OFFSTAGE_SCHEDULER: storage,
      OFFSTAGE_JOBS: jobs.pathname,
      OFFSTAGE_EXECUTOR_PORT: '0',
    },
    ready: /is the storage service, not the scheduler\. OFFSTAGE_SCHEDULER sets the address/,
  })
  expect(lost.pid).toBeGreaterThan(0)
}, 60_000)
