import { setTimeout as pause } from 'node:timers/promises'
import { type JobHandle, Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, type ClusterMember, startCluster } from './cluster/cluster.ts'
import {
  alone,
  deaf,
  detached,
  double,
  family,
  forgiving,
  impostor,
  sleep,
} from './cluster/jobs.ts'

/** Of two hand-backs at most: when its thread is ended, and when a thread of those it shared that fate with is. */
const ATTEMPTS_MAX = 3

const jobs = new URL('./cluster/jobs.ts', import.meta.url)

const resources = new AsyncDisposableStack()
let cluster: Cluster
let offstage: Offstage
beforeAll(async () => {
  cluster = resources.use(await startCluster({ jobs, schedulers: 1, executors: 1 }))
  offstage = resources.use(await Offstage.connect({ scheduler: cluster.target() }))
})
afterAll(() => resources.disposeAsync())

/** One that knows nothing yet of methods that do not stop: what a test has taught it is gone. */
async function freshExecutor(): Promise<ClusterMember> {
  const [executor] = cluster.executors
  if (executor === undefined) throw new Error('there is none')
  await executor.process.kill()
  await executor.restart()
  return executor
}

/** Starts one deaf job after the other and cancels each as soon as it runs, until it is told to end. */
async function cancelDeafOnes(everyMs: number, over: AbortSignal) {
  const outcomes: (string | undefined)[] = []
  while (!over.aborted) {
    const job = await offstage.startJob(deaf)
    await pause(everyMs)
    await job.cancel({ graceMs: 100 })
    outcomes.push((await job.waitForCompletion()).state)
  }
  return outcomes
}

async function expectFewAttempts(handles: readonly JobHandle[]) {
  for (const handle of handles) {
    expect(handle.isSucceeded).toBe(true)
    expect((await handle.refresh()).attempt).toBeLessThanOrEqual(ATTEMPTS_MAX)
  }
}

test('jobs that came to fresh threads succeed though the only scheduler dies and comes back within the lease', {
  timeout: 120_000,
}, async () => {
  await using own = await startCluster({
    jobs,
    schedulers: 1,
    executors: 1,
    storage: true,
    lease: '20s',
    env: { OFFSTAGE_EXECUTOR_WORK_SLOTS: '6' },
  })
  await using client = await Offstage.connect({ scheduler: own.target() })
  const independent = await client.startJobs(
    alone,
    Array.from({ length: 3 }, () => ({ forMs: 500 })),
  )
  // These need the scheduler while it is away: for their children.
  const dependent = await client.startJobs(
    family,
    [1, 2, 3].map((n) => ({ n })),
  )
  const [scheduler] = own.schedulers
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

test.for([
  { count: 50, forMs: 800, everyMs: 0, how: 'one after the other' },
  { count: 50, forMs: 2_000, everyMs: 500, how: 'twice a second' },
])(
  'with deaf jobs canceled $how beside $count others, those end after few attempts',
  { timeout: 120_000 },
  async ({ count, forMs, everyMs }) => {
    const executor = await freshExecutor()
    const over = new AbortController()
    const canceling = cancelDeafOnes(everyMs, over.signal)
    const params = Array.from({ length: count }, () => ({ forMs }))
    const handles = await offstage.startJobs(sleep, params)
    await offstage.waitAll(handles, { timeoutMs: 60_000 })
    over.abort()
    const outcomes = await canceling
    expect(outcomes.length).toBeGreaterThan(1)
    expect(new Set(outcomes)).toEqual(new Set(['canceled']))
    await expectFewAttempts(handles)
    expect(executor.process.stdout).toContain('a handler does not stop; ending its thread')
  },
)

test('ordinary jobs end though many of their own kind are canceled with a short grace', {
  timeout: 120_000,
}, async () => {
  await freshExecutor()
  const handles = await offstage.startJobs(
    sleep,
    Array.from({ length: 50 }, () => ({ forMs: 800 })),
  )
  const canceled = await offstage.startJobs(
    sleep,
    Array.from({ length: 12 }, () => ({ forMs: 60_000 })),
  )
  for (const job of canceled) {
    await job.cancel({ graceMs: 100 })
    await pause(100)
  }
  const ends = await Promise.all(canceled.map((job) => job.waitForCompletion()))
  expect(ends.map(({ state }) => state)).toEqual(ends.map(() => 'canceled'))
  const { satisfied } = await offstage.waitAll(handles, { timeoutMs: 60_000 })
  expect(satisfied).toBe(true)
  const attempts = await Promise.all(handles.map(async (job) => (await job.refresh()).attempt))
  expect(Math.max(...attempts)).toBeLessThan(canceled.length / 2)
})

test('a result that cannot be sent fails its own job, and all its neighbours succeed', {
  timeout: 120_000,
}, async () => {
  await freshExecutor()
  const handles = await offstage.startJobs(
    sleep,
    Array.from({ length: 50 }, () => ({ forMs: 1_000 })),
  )
  const bad = await offstage.startJob(detached)
  const { state, error } = await bad.waitForCompletion()
  expect([state, error?.reason]).toEqual(['failed', 'RESULT_NOT_SERIALIZABLE'])
  await offstage.waitAll(handles)
  await expectFewAttempts(handles)
})

test('a handler that speaks to the main thread and deafens its own ends neither', {
  timeout: 120_000,
}, async () => {
  const executor = await freshExecutor()
  await offstage.run(impostor)
  const params = Array.from({ length: 20 }, (_, n) => ({ n }))
  expect(await offstage.runAll(double, params)).toEqual(params.map(({ n }) => 2 * n))
  expect(executor.process.stderr).toBe('')
})

test('a parent that is canceled together with the children it waits for ends as canceled', {
  timeout: 120_000,
}, async () => {
  await freshExecutor()
  for (let round = 0; round < 3; round += 1) {
    const parent = await offstage.startJob(forgiving)
    await until(async () => (await parent.refresh()).state === 'waiting')
    await parent.cancel({ cascade: true, graceMs: 5_000 })
    expect((await parent.waitForCompletion()).state).toBe('canceled')
  }
})
