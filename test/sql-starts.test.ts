/** Starts by SQL through services as they are run: two schedulers, over PostgreSQL, with clients that die. */
import { Offstage } from '@offstage/sdk'
import { startJobIn } from '@offstage/sdk/sql'
import { spawnProcess, until } from '@offstage/testkit'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { beginning, double } from './cluster/jobs.ts'
import { callingAs } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const SAMPLES = 150

/** Those that are told of starts by SQL: the last they did is to listen, or to ask whether the server is there. */
const LISTENING = `
  SELECT count(*)::int AS n FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'offstage-scheduler-starts' AND query IN ('LISTEN "offstage_unchecked_starts"', 'SELECT 1')`

/** Shared: starting it takes longer than they do. */
const resources = new AsyncDisposableStack()
let cluster: Cluster
let client: pg.Client
let offstage: Offstage
beforeAll(async () => {
  cluster = resources.use(await startCluster({ jobs, schedulers: 2, executors: 2 }))
  client = new pg.Client({ connectionString: cluster.databaseUrl })
  await client.connect()
  resources.defer(() => client.end())
  const listening = async () => (await client.query<{ n: number }>(LISTENING)).rows[0]?.n
  await until(async () => (await listening()) === 2)
  const connect = { scheduler: cluster.target(), ...callingAs('admin') }
  offstage = resources.use(await Offstage.connect(connect))
})
afterAll(() => resources.disposeAsync())

function spread(samplesMs: readonly number[]): string {
  const sorted = samplesMs.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.floor(share * sorted.length)] ?? 0).toFixed(1)
  return `p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms`
}

test('each job that is started in a transaction begins once, soon after its commit, whichever scheduler its executor is at', {
  timeout: 180_000,
}, async () => {
  const now = () => performance.timeOrigin + performance.now()
  const bySqlMs: number[] = []
  const byCallMs: number[] = []
  for (let n = 0; n < SAMPLES; n += 1) {
    await client.query('BEGIN')
    const id = await startJobIn(client, beginning)
    const committing = now()
    await client.query('COMMIT')
    bySqlMs.push((await offstage.job<number>(id).value()) - committing)
    const calling = now()
    byCallMs.push((await offstage.run(beginning)) - calling)
  }
  console.log(
    `from the commit to the handler: ${spread(bySqlMs)}; from startJob: ${spread(byCallMs)}`,
  )
  const { rows } = await client.query('SELECT DISTINCT attempt, state FROM offstage.jobs')
  expect(rows).toEqual([{ attempt: 1, state: 5 }])
})

test('a client that is killed before it commits leaves nothing, neither a job nor its key', {
  timeout: 180_000,
}, async () => {
  const child = await spawnProcess({
    main: new URL('./cluster/left-open.ts', import.meta.url),
    args: [cluster.databaseUrl],
    ready: /^started (\S+)$/,
  })
  const [, id = ''] = child.ready
  const exists = async () =>
    (await client.query('SELECT FROM offstage.jobs WHERE id = $1', [id])).rowCount
  expect(await exists()).toBe(0)
  await child.kill('SIGKILL')
  const again = await startJobIn(client, double, { n: 4 }, { key: 'left-open' })
  expect(await offstage.job(again).value()).toBe(8)
  expect(await exists()).toBe(0)
  await expect(offstage.job(id).refresh()).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' })
})
