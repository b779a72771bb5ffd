/** Deadlines over real processes (row J17): silence ends an attempt, and nothing that only looks like it does. */
import { setTimeout as pause } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { mute, speaking } from './cluster/timed-jobs.ts'

const jobs = new URL('./cluster/timed-jobs.ts', import.meta.url)

/** Shared by those that need no more: starting it takes longer than they do. */
const resources = new AsyncDisposableStack()
let cluster: Cluster
let offstage: Offstage
beforeAll(async () => {
  cluster = resources.use(await startCluster({ jobs, schedulers: 1, executors: 2, lease: '60s' }))
  offstage = resources.use(await Offstage.connect({ scheduler: cluster.target() }))
})
afterAll(() => resources.disposeAsync())

test('a definition’s retry and deadlines hold where a start names none, and what one attempt left the next is given', async () => {
  const [asDefined, once] = await Promise.all([
    offstage.startJob(mute, { attempts: 2 }),
    offstage.startJob(mute, { attempts: 2 }, { retry: { maxAttempts: 1 } }),
  ])
  expect(await asDefined.value()).toEqual({ before: { attempt: 2 } })
  expect(await once.waitForCompletion()).toMatchObject({
    state: 'failed',
    error: { reason: 'HEARTBEAT_DEADLINE_EXCEEDED' },
  })
  const { attempts, heartbeatData } = await asDefined.refresh()
  expect(attempts.map(({ outcome, errorReason }) => [outcome, errorReason])).toEqual([
    ['failed', 'HEARTBEAT_DEADLINE_EXCEEDED'],
    ['failed', 'HEARTBEAT_DEADLINE_EXCEEDED'],
    ['succeeded', ''],
  ])
  expect(heartbeatData).toEqual({ attempt: 2 })
  await once.retry()
  expect(await once.waitForCompletion()).toMatchObject({ state: 'failed' })
  await once.retry()
  expect(await once.value()).toEqual({ before: { attempt: 2 } })
}, 60_000)

const FROZEN_MS = 5_000

test('handlers that speak keep their attempt while PostgreSQL stands still and the scheduler is killed', {
  timeout: 120_000 + FROZEN_MS,
}, async () => {
  await using own = await startCluster({
    ...{ jobs, schedulers: 2, executors: 1, lease: '15s' },
    postgres: {},
  })
  await using client = await Offstage.connect({ scheduler: own.target() })
  const handles = await client.startJobs(
    speaking,
    Array.from({ length: 20 }, () => ({ forMs: FROZEN_MS + 12_000 })),
  )
  const isSaid = async () => (await handles[0]?.refresh())?.heartbeatData !== undefined
  await until(isSaid)
  await own.postgres.pause()
  await pause(FROZEN_MS)
  await own.postgres.resume()
  await until(isSaid, { timeoutMs: 30_000 })
  const [first] = own.schedulers
  await first?.process.kill('SIGKILL')
  await pause(1_000)
  await first?.restart()
  const values = await Promise.all(handles.map((handle) => handle.value()))
  expect(values).toEqual(handles.map(() => ({ attempt: 1, before: null })))
})

test('an executor that wakes up does not take its own freeze for silence, and one that does not loses the job', {
  timeout: 120_000,
}, async () => {
  const freeze = async (forMs: number) => {
    const handle = await offstage.startJob(speaking, { forMs: 4_000 })
    await until(async () => (await handle.refresh()).heartbeatData !== undefined)
    const { attempts } = await handle.refresh()
    const frozen = cluster.executors.find(({ process: { pid } }) =>
      attempts[0]?.executorName.includes(String(pid)),
    )
    if (frozen === undefined) throw new Error(`nobody is ${attempts[0]?.executorName}`)
    frozen.process.signal('SIGSTOP')
    await pause(forMs)
    return { handle, frozen }
  }
  const short = await freeze(4_000)
  short.frozen.process.signal('SIGCONT')
  expect(await short.handle.value()).toEqual({ attempt: 1, before: null })
  const long = await freeze(0)
  expect(await long.handle.value()).toEqual({
    attempt: 2,
    before: { attempt: 1, n: expect.any(Number) },
  })
  const { attempts, crashCount } = await long.handle.refresh()
  expect(attempts[0]).toMatchObject({ errorReason: 'HEARTBEAT_DEADLINE_EXCEEDED' })
  expect(crashCount).toBe(0)
  long.frozen.process.signal('SIGCONT')
})
