/** Twenty thousand jobs at once, over real PostgreSQL, while others flow and a scheduler is killed (row J25). */
import { type Database, openPostgres } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { double } from './cluster/jobs.ts'
import { callingAs } from './guarded/access.ts'

const COUNT = 20_000
const CALLERS = 4
/** How long others flow before, to be compared. */
const ALONE_MS = 1_000
/** Of what nobody runs, so that what is started anew stays where it is. */
const FAILED = `
  INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt, create_time, finish_time)
  SELECT gen_random_uuid(), 'default', 'test.past', 'dev', 6, 1, 1, 0, 1, now() - interval '1 h', now()
  FROM generate_series(1, ${COUNT})`
const REVISIONS = `
  SELECT state, revision, count(*)::int AS jobs FROM offstage.jobs WHERE method = 'test.past'
  GROUP BY 1, 2`

const it = new AsyncDisposableStack()
let cluster: Cluster
let database: Database
let offstage: Offstage

beforeAll(async () => {
  cluster = it.use(
    await startCluster({
      jobs: new URL('./cluster/jobs.ts', import.meta.url),
      schedulers: 2,
      executors: 1,
    }),
  )
  database = it.use(await openPostgres({ url: cluster.databaseUrl, poolSize: 2 }))
  offstage = it.use(await Offstage.connect({ scheduler: cluster.target(), ...callingAs('admin') }))
  await run(FAILED)
}, 120_000)
afterAll(() => it.disposeAsync())

async function run(text: string) {
  return (await database.query({ name: '', text })).rows
}

/** Runs one job after another for each of some callers, until told to stop; how many a second, none of which failed. */
async function flow(signal: AbortSignal): Promise<number> {
  const begin = performance.now()
  let done = 0
  const caller = async () => {
    for (; !signal.aborted; done++) expect(await offstage.run(double, { n: done })).toBeDefined()
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return (done / (performance.now() - begin)) * 1_000
}

test('twenty thousand jobs are started anew, each once, while others go on', async () => {
  const alone = await flow(AbortSignal.timeout(ALONE_MS))
  const stop = new AbortController()
  const flowing = flow(stop.signal)
  const filter = { filter: 'state:failed method:test.past' }
  expect(await offstage.retryJobs(filter, { validateOnly: true })).toMatchObject({ count: COUNT })
  const begin = performance.now()
  const retrying = await offstage.retryJobs(filter)
  const seen: number[] = []
  const done = await retrying.waitForCompletion({ onProgress: ({ percent }) => seen.push(percent) })
  const seconds = ((performance.now() - begin) / 1_000).toFixed(1)
  stop.abort()
  const beside = await flowing
  console.log(
    `${COUNT} jobs in ${seconds} s; others beside them at ${(beside / alone).toFixed(2)} of ${alone.toFixed(0)} a second`,
  )
  expect(done).toMatchObject({ state: 'succeeded', result: { matched: COUNT, done: COUNT } })
  expect(seen.length).toBeGreaterThan(1)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  expect(await run(REVISIONS)).toEqual([{ state: 2, revision: 2, jobs: COUNT }])
}, 180_000)

test('when the scheduler that carries it is killed another goes on, and each job is acted on once', async () => {
  const canceling = await offstage.cancelJobs({ filter: 'method:test.past' }, { reason: 'enough' })
  const half = async () => (await canceling.refresh()).progress?.percent ?? 0
  await until(async () => (await half()) > 5, { what: 'it to be under way', timeoutMs: 60_000 })
  await cluster.schedulers[0]?.process.kill('SIGKILL')
  const at = await half()
  expect(at).toBeLessThan(99)
  const done = await canceling.waitForCompletion({ timeoutMs: 120_000 })
  expect(done).toMatchObject({ state: 'succeeded', result: { matched: COUNT, done: COUNT } })
  expect(await run(REVISIONS)).toEqual([{ state: 7, revision: 3, jobs: COUNT }])
  await cluster.schedulers[0]?.restart()
}, 180_000)
