/** Thousands of jobs, each completed exactly once by the clients' story and by the database's. */
import { type JobHandle, Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect } from 'vitest'
import { type Audit, openAudit } from '../cluster/audit.ts'
import { type Cluster, type ClusterOptions, startCluster } from '../cluster/cluster.ts'
import { double } from '../cluster/jobs.ts'

const CHUNK = 250
const jobs = new URL('../cluster/jobs.ts', import.meta.url)
const SUCCEEDED = 5

/** Runs `count` jobs on a cluster of two and two, while `trouble` does what it likes once a tenth has ended. */
export async function expectExactlyOnceWith(
  count: number,
  trouble: (cluster: Cluster) => Promise<void>,
  options: Pick<ClusterOptions, 'postgres'> = {},
) {
  await using cluster = await startCluster({ jobs, schedulers: 2, executors: 2, ...options })
  await using audit = await openAudit(cluster.databaseUrl)
  await using first = await Offstage.connect({ scheduler: cluster.target(0) })
  await using second = await Offstage.connect({ scheduler: cluster.target(1) })
  const running = runAll(count, [first, second])
  running.catch(() => {})
  await until(async () => (await audit.ended()) >= count / 10, { timeoutMs: 60_000 })
  expect(await audit.ended()).toBeLessThan(count)
  await trouble(cluster)
  await expectEachOnce(count, await running, audit)
}

/** Starts all jobs through both clients, in chunks, and waits for every one. */
async function runAll(count: number, clients: readonly Offstage[]): Promise<JobHandle<number>[]> {
  const handles = await Promise.all(
    clients.map(async (client, index) => {
      const own: JobHandle<number>[] = []
      for (let from = index * CHUNK; from < count; from += CHUNK * clients.length) {
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
async function expectEachOnce(count: number, handles: readonly JobHandle<number>[], audit: Audit) {
  const unfinished = handles.filter((handle) => !handle.isSucceeded)
  expect(unfinished.map(({ id, status }) => `${id} ${status}`)).toEqual([])
  const results = handles.map(({ result }) => Number(result ?? Number.NaN)).sort((a, b) => a - b)
  expect(results).toEqual(Array.from({ length: count }, (_, n) => n * 2))
  expect(await audit.ended()).toBe(count)
  expect(await audit.endedTwice()).toBe(0)
  expect(await audit.states()).toEqual({ [SUCCEEDED]: count })
}
