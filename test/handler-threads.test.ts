import { setTimeout as pause } from 'node:timers/promises'
import { type JobHandle, Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
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

async function oneOfEach() {
  const cluster = await startCluster({ jobs, schedulers: 1, executors: 1 })
  const offstage = await Offstage.connect({ scheduler: cluster.target() })
  return {
    offstage,
    executor: cluster.executors[0],
    async [Symbol.asyncDispose]() {
      await offstage.close()
      await cluster[Symbol.asyncDispose]()
    },
  }
}

/** Starts one deaf job after the other and cancels each as soon as it runs, until it is told to end. */
async function cancelDeafOnes(offstage: Offstage, everyMs: number, over: AbortSignal) {
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

test.for([
  { count: 200, forMs: 1_500, everyMs: 0, how: 'one after the other' },
  { count: 300, forMs: 4_000, everyMs: 1_000, how: 'each second' },
])(
  'with deaf jobs canceled $how beside $count others, those end after few attempts',
  { timeout: 120_000 },
  async ({ count, forMs, everyMs }) => {
    await using it = await oneOfEach()
    const over = new AbortController()
    const canceling = cancelDeafOnes(it.offstage, everyMs, over.signal)
    const params = Array.from({ length: count }, () => ({ forMs }))
    const handles = await it.offstage.startJobs(sleep, params)
    await it.offstage.waitAll(handles, { timeoutMs: 60_000 })
    over.abort()
    const outcomes = await canceling
    expect(outcomes.length).toBeGreaterThan(1)
    expect(new Set(outcomes)).toEqual(new Set(['canceled']))
    await expectFewAttempts(handles)
    expect(it.executor?.process.stdout).toContain('a handler does not stop; ending its thread')
  },
)

test('ordinary jobs end though many of their own kind are canceled with a short grace', {
  timeout: 120_000,
}, async () => {
  await using it = await oneOfEach()
  const handles = await it.offstage.startJobs(
    sleep,
    Array.from({ length: 200 }, () => ({ forMs: 1_500 })),
  )
  const canceled = await it.offstage.startJobs(
    sleep,
    Array.from({ length: 40 }, () => ({ forMs: 60_000 })),
  )
  for (const job of canceled) {
    await job.cancel({ graceMs: 100 })
    await pause(100)
  }
  const ends = await Promise.all(canceled.map((job) => job.waitForCompletion()))
  expect(ends.map(({ state }) => state)).toEqual(ends.map(() => 'canceled'))
  const { satisfied } = await it.offstage.waitAll(handles, { timeoutMs: 60_000 })
  expect(satisfied).toBe(true)
  const attempts = await Promise.all(handles.map(async (job) => (await job.refresh()).attempt))
  expect(Math.max(...attempts)).toBeLessThan(canceled.length / 2)
})

test('a result that cannot be sent fails its own job, and a hundred neighbours succeed', {
  timeout: 120_000,
}, async () => {
  await using it = await oneOfEach()
  const handles = await it.offstage.startJobs(
    sleep,
    Array.from({ length: 100 }, () => ({ forMs: 2_000 })),
  )
  const bad = await it.offstage.startJob(detached)
  const { state, error } = await bad.waitForCompletion()
  expect([state, error?.reason]).toEqual(['failed', 'RESULT_NOT_SERIALIZABLE'])
  await it.offstage.waitAll(handles)
  await expectFewAttempts(handles)
})

test('a handler that speaks to the main thread and deafens its own ends neither', {
  timeout: 120_000,
}, async () => {
  await using it = await oneOfEach()
  await it.offstage.run(impostor)
  const params = Array.from({ length: 20 }, (_, n) => ({ n }))
  expect(await it.offstage.runAll(double, params)).toEqual(params.map(({ n }) => 2 * n))
  expect(it.executor?.process.stderr).toBe('')
})

test('a parent that is canceled together with the children it waits for ends as canceled', {
  timeout: 120_000,
}, async () => {
  await using it = await oneOfEach()
  for (let round = 0; round < 5; round += 1) {
    const parent = await it.offstage.startJob(forgiving)
    await until(async () => (await parent.refresh()).state === 'waiting')
    await parent.cancel({ cascade: true, graceMs: 5_000 })
    expect((await parent.waitForCompletion()).state).toBe('canceled')
  }
})
