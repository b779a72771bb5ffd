/** Deadlines over real processes (row J17): silence ends an attempt, and nothing that only looks like it does. */
import { setTimeout as pause } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { mute, speaking } from './cluster/timed-jobs.ts'

const jobs = new URL('./cluster/timed-jobs.ts', import.meta.url)

test('a definition’s retry and deadlines hold where a start names none, and what one attempt left the next is given', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1 })
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })
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
  await using cluster = await startCluster({ jobs, schedulers: 2, executors: 1, lease: '15s' })
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })
  const handles = await offstage.startJobs(
    speaking,
    Array.from({ length: 20 }, () => ({ forMs: FROZEN_MS + 12_000 })),
  )
  const isSaid = async () => (await handles[0]?.refresh())?.heartbeatData !== undefined
  await until(isSaid)
  await cluster.postgres.pause()
  await pause(FROZEN_MS)
  await cluster.postgres.resume()
  await until(isSaid, { timeoutMs: 30_000 })
  const [first] = cluster.schedulers
  await first?.process.kill('SIGKILL')
  await pause(1_000)
  await first?.restart()
  const values = await Promise.all(handles.map((handle) => handle.value()))
  expect(values).toEqual(handles.map(() => ({ attempt: 1, before: null })))
})

test('an executor that wakes up does not take its own freeze for silence, and one that does not loses the job', {
  timeout: 120_000,
}, async () => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 2, lease: '60s' })
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })
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
