import { type JobHandle, Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { type Audit, openAudit } from './cluster/audit.ts'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { double } from './cluster/jobs.ts'

const JOBS = 10_000
const CHUNK = 250
const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const SUCCEEDED = 5

/** Starts all jobs through both clients, in chunks, and waits for every one. */
async function runAll(clients: readonly Offstage[]): Promise<JobHandle<number>[]> {
  const handles = await Promise.all(
    clients.map(async (client, index) => {
      const own: JobHandle<number>[] = []
      for (let from = index * CHUNK; from < JOBS; from += CHUNK * clients.length) {
        const params = Array.from({ length: CHUNK }, (_, i) => ({ n: from + i }))
        own.push(...(await client.startJobs(double, params)))
      }
      await client.waitAll(own, { timeoutMs: 120_000 })
      return own
    }),
  )
  return handles.flat()
}

/** The clients' story and the database's must both be: every job once, with its own result. */
async function expectExactlyOnce(handles: readonly JobHandle<number>[], audit: Audit) {
  const unfinished = handles.filter((handle) => !handle.isSucceeded)
  expect(unfinished.map(({ id, status }) => `${id} ${status}`)).toEqual([])
  const results = handles.map((handle) => handle.result ?? Number.NaN).sort((a, b) => a - b)
  expect(results).toEqual(Array.from({ length: JOBS }, (_, n) => n * 2))
  expect(await audit.ended()).toBe(JOBS)
  expect(await audit.endedTwice()).toBe(0)
  expect(await audit.states()).toEqual({ [SUCCEEDED]: JOBS })
}

/** Runs the jobs on a cluster of two and two, while `trouble` does what it likes once a tenth has ended. */
async function runWith(trouble: (cluster: Cluster) => Promise<void>) {
  await using cluster = await startCluster({ jobs, schedulers: 2, executors: 2 })
  await using audit = await openAudit(cluster.databaseUrl)
  await using first = await Offstage.connect({ scheduler: cluster.target(0) })
  await using second = await Offstage.connect({ scheduler: cluster.target(1) })
  const running = runAll([first, second])
  running.catch(() => {})
  await until(async () => (await audit.ended()) >= JOBS / 10, { timeoutMs: 60_000 })
  expect(await audit.ended()).toBeLessThan(JOBS)
  await trouble(cluster)
  await expectExactlyOnce(await running, audit)
}

test('ten thousand jobs through two schedulers and two executors are completed exactly once', async () => {
  await runWith(async () => {})
}, 240_000)

test('with NATS stopped and a scheduler and an executor killed half-way, none is lost and none completed twice', async () => {
  await runWith(async ({ nats, executors, schedulers }) => {
    await Promise.all([
      nats.stop(),
      executors[0]?.process.kill('SIGKILL'),
      schedulers[1]?.process.kill('SIGKILL'),
    ])
  })
}, 240_000)

test('with PostgreSQL restarted half-way, none is lost and none completed twice', async () => {
  await runWith(async ({ postgres }) => postgres.restart('immediate'))
}, 240_000)
