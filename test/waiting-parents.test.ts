import { readFile } from 'node:fs/promises'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { parent, patient } from './cluster/parent-jobs.ts'

/** `make parents` has 20,000. */
const PARENTS = Number(process.env.PARENTS ?? 100)
const LONG_MS = 600_000

const jobs = new URL('./cluster/parent-jobs.ts', import.meta.url)
const list = Array.from({ length: PARENTS }, (_, n) => ({ n }))

const resources = new AsyncDisposableStack()
let cluster: Cluster
let offstage: Offstage
beforeAll(async () => {
  cluster = resources.use(
    await startCluster({
      ...{ jobs, schedulers: 1, executors: 1 },
      envOf: () => ({ OFFSTAGE_EXECUTOR_TASK_SLOTS: '2', OFFSTAGE_EXECUTOR_DRAIN_GRACE: '1s' }),
    }),
  )
  offstage = resources.use(await Offstage.connect({ scheduler: cluster.target() }))
})
afterAll(() => resources.disposeAsync())

function executor() {
  const [member] = cluster.executors
  if (member === undefined) throw new Error('there is none')
  return member
}

/** Of a process, as Linux tells it. */
async function usageOf(pid: number) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  return { threads: number('Threads'), residentMiB: Math.round(number('VmRSS') / 1_024) }
}

async function countIn(state: 'waiting' | 'queued') {
  const counts = await offstage.countJobs(
    { methods: [patient.method], states: [state] },
    { by: [] },
  )
  return counts.reduce((sum, { count }) => sum + count, 0)
}

test(`${PARENTS} parents that wait in lane task end, on two slots, and cost no threads`, {
  timeout: LONG_MS,
}, async () => {
  const { pid } = executor().process
  const idle = await usageOf(pid)
  const peak = { threads: 0, residentMiB: 0 }
  // However the test ends: the executor is another process in the next one.
  using stop = new DisposableStack()
  const watch = setInterval(async () => {
    const { threads, residentMiB } = await usageOf(pid)
    peak.threads = Math.max(peak.threads, threads)
    peak.residentMiB = Math.max(peak.residentMiB, residentMiB)
  }, 100)
  stop.defer(() => clearInterval(watch))
  const began = performance.now()
  // The first child comes after the last parent: all of them wait by then.
  const handles = await offstage.startJobs(parent, list)
  await offstage.waitAll(handles)
  const values = await Promise.all(handles.map((handle) => handle.value()))
  expect(values).toEqual(list.map(({ n }) => n))
  const seconds = Math.round((performance.now() - began) / 1_000)
  console.log(`${PARENTS} waiting parents in ${seconds} s`, { idle, peak })
  expect(peak.threads - idle.threads).toBeLessThan(20)
})

test(`${PARENTS} parents that wait are handed back by a drain, uncharged, and requeued when their executor is killed`, {
  timeout: LONG_MS,
}, async () => {
  // Many slots: how they come to wait has been shown above.
  const handles = await offstage.startJobs(patient, list, { lane: 'inline' })
  const all = (state: 'waiting' | 'queued') =>
    until(async () => (await countIn(state)) === PARENTS, {
      timeoutMs: LONG_MS,
      what: `all are ${state}`,
    })
  await all('waiting')
  // Several times over, since leases are short.
  await executor().process.kill('SIGTERM')
  await all('queued')
  expect(await handles[0]?.refresh()).toMatchObject({ attempt: 1, crashCount: 0 })
  await executor().restart()
  await all('waiting')
  await executor().process.kill('SIGKILL')
  await all('queued')
  expect(await handles[0]?.refresh()).toMatchObject({ attempt: 2, crashCount: 1 })
})
