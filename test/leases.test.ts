/** Leases over real processes: what holds PostgreSQL up costs executors that live nothing (ADR 0009). */
import { setTimeout as pause } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { sleep, steps } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const LEASE_MS = 2_000

/** Shared by all but the one that needs two schedulers: starting it takes longer than they do. */
const resources = new AsyncDisposableStack()
let cluster: Cluster
let offstage: Offstage
let client: Client
beforeAll(async () => {
  cluster = resources.use(await startCluster({ jobs, schedulers: 1, executors: 1, postgres: {} }))
  offstage = resources.use(await Offstage.connect({ scheduler: cluster.target() }))
  client = new Client({ connectionString: cluster.databaseUrl })
  await client.connect()
  resources.defer(() => client.end())
})
afterAll(() => resources.disposeAsync())

const saidBy = ({ schedulers }: Cluster) => schedulers.map(({ process }) => process.stdout).join('')
const RUN_OUT = 'leases have run out'

async function stallDatabase(ms: number): Promise<void> {
  const { postgres } = cluster
  await postgres.pause()
  try {
    await pause(ms)
  } finally {
    await postgres.resume()
  }
}

async function lockAttachments(ms: number): Promise<void> {
  await client.query('BEGIN')
  await client.query('SELECT FROM offstage.attachments FOR UPDATE')
  await pause(ms)
  await client.query('COMMIT')
}

test.for([
  { what: 'PostgreSQL stands still for 1.3 leases', hold: stallDatabase, leases: 1.3 },
  { what: 'their rows are locked for 1.9 leases', hold: lockAttachments, leases: 1.9 },
])(
  'jobs go on with the attempt they have while $what',
  { timeout: 120_000 },
  async ({ hold, leases }) => {
    const count = Math.round((LEASE_MS * leases) / 50) + 40
    const handles = await offstage.startJobs(
      steps,
      Array.from({ length: 4 }, () => ({ count, everyMs: 50 })),
    )
    await until(async () => {
      const seen = await Promise.all(handles.map((handle) => handle.refresh()))
      return seen.every(({ attempt }) => attempt === 1)
    })
    await hold(LEASE_MS * leases)
    const ends = await Promise.all(handles.map((handle) => handle.waitForCompletion()))
    expect(ends.map(({ state }) => state)).toEqual(handles.map(() => 'succeeded'))
    const records = await Promise.all(handles.map((handle) => handle.refresh()))
    expect(records.map(({ attempt, crashCount }) => ({ attempt, crashCount }))).toEqual(
      handles.map(() => ({ attempt: 1, crashCount: 0 })),
    )
    expect(saidBy(cluster)).not.toContain(RUN_OUT)
  },
)

/** When its rows are free again, somebody who counts rounds comes first, and who is to renew them later. */
test('who could not be renewed for a lease is in doubt for a round, and lives on when renewed within it', {
  timeout: 180_000,
}, async () => {
  await using own = await startCluster({ jobs, schedulers: 2, executors: 1, lease: '9s' })
  await using ownClient = await Offstage.connect({ scheduler: own.target() })
  const handle = await ownClient.startJob(sleep, { forMs: 20_000 })
  const database = new Client({ connectionString: own.databaseUrl })
  await database.connect()
  await using ending = new AsyncDisposableStack()
  ending.defer(() => database.end())
  const row = async () => {
    const { rows } = await database.query(`
      SELECT a.scheduler, a.in_doubt, now.round - a.renew_round AS behind
      FROM offstage.attachments a CROSS JOIN offstage.lease_rounds now`)
    return rows[0]
  }
  await until(async () => (await handle.refresh()).attempt === 1)
  await database.query('BEGIN')
  await database.query('SELECT FROM offstage.attachments FOR UPDATE')
  await until(async () => Number((await row()).behind) > 7, { timeoutMs: 60_000 })
  const { scheduler } = await row()
  const { pid } =
    own.schedulers.map(({ process: it }) => it).find((it) => scheduler.endsWith(`:${it.pid}`)) ?? {}
  if (pid === undefined) throw new Error(`none of them is ${scheduler}`)
  process.kill(pid, 'SIGSTOP')
  try {
    await database.query('COMMIT')
    await until(async () => (await row()).in_doubt)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await until(async () => !(await row()).in_doubt)
  expect((await handle.waitForCompletion()).state).toBe('succeeded')
  expect(await handle.refresh()).toMatchObject({ attempt: 1, crashCount: 0 })
  expect(saidBy(own)).not.toContain(RUN_OUT)
})

test.for([
  { what: 'stops in order', signals: ['SIGTERM'] as const, lost: false },
  { what: 'is killed while it drains', signals: ['SIGTERM', 'SIGKILL'] as const, lost: true },
])('an executor that $what: its lease runs out is $lost', { timeout: 60_000 }, async (given) => {
  const [leaving] = cluster.executors
  if (leaving === undefined) throw new Error('there is none')
  const { pid } = leaving.process
  if (given.lost) {
    const handle = await offstage.startJob(steps, { count: 1_000, everyMs: 50 })
    await until(async () => (await handle.refresh()).attempt === 1)
  }
  const row = async (column: string) =>
    (
      await client.query(
        `SELECT ${column} AS it FROM offstage.attachments a
        JOIN offstage.executors e ON e.attachment_id = a.id
        WHERE a.name LIKE '% ${pid}' ORDER BY a.attach_time DESC LIMIT 1`,
      )
    ).rows[0]?.it
  for (const signal of given.signals) {
    const ended = leaving.process.kill(signal)
    if (signal === 'SIGTERM' && given.lost) await until(() => row('draining'))
    else await ended
  }
  await until(() => row('end_round IS NOT NULL'))
  expect(await row('lost')).toBe(given.lost)
  if (given.lost) await until(() => saidBy(cluster).includes(RUN_OUT))
  else expect(saidBy(cluster)).not.toContain(RUN_OUT)
  // For whoever comes next.
  if (!given.lost) await leaving.restart()
})
