/** Leases over real processes: what holds PostgreSQL up costs executors that live nothing (ADR 0009). */
import { setTimeout as pause } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { sleep, steps } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const LEASE_MS = 2_000

async function stallDatabase({ postgres }: Cluster, ms: number): Promise<void> {
  await postgres.pause()
  try {
    await pause(ms)
  } finally {
    await postgres.resume()
  }
}

async function lockAttachments({ databaseUrl }: Cluster, ms: number): Promise<void> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT FROM offstage.attachments FOR UPDATE')
    await pause(ms)
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

test.for([
  { what: 'PostgreSQL stands still for 1.3 leases', hold: stallDatabase, leases: 1.3 },
  { what: 'their rows are locked for 1.9 leases', hold: lockAttachments, leases: 1.9 },
])(
  'jobs go on with the attempt they have while $what',
  { timeout: 120_000 },
  async ({ hold, leases }) => {
    await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1 })
    await using offstage = await Offstage.connect({ scheduler: cluster.target() })
    const count = Math.round((LEASE_MS * leases) / 50) + 40
    const handles = await offstage.startJobs(
      steps,
      Array.from({ length: 4 }, () => ({ count, everyMs: 50 })),
    )
    await until(async () => {
      const seen = await Promise.all(handles.map((handle) => handle.refresh()))
      return seen.every(({ attempt }) => attempt === 1)
    })
    await hold(cluster, LEASE_MS * leases)
    const ends = await Promise.all(handles.map((handle) => handle.waitForCompletion()))
    expect(ends.map(({ state }) => state)).toEqual(handles.map(() => 'succeeded'))
    const client = new Client({ connectionString: cluster.databaseUrl })
    await client.connect()
    const { rows } = await client.query(
      'SELECT DISTINCT attempt, crash_count AS crashes FROM offstage.jobs',
    )
    await client.end()
    expect(rows).toEqual([{ attempt: 1, crashes: 0 }])
    const text = cluster.schedulers.map(({ process }) => process.stdout).join('')
    expect(text).not.toContain('leases have run out')
  },
)

/** When its rows are free again, somebody who counts rounds comes first, and who is to renew them later. */
test('who could not be renewed for a lease is in doubt for a round, and lives on when renewed within it', {
  timeout: 180_000,
}, async () => {
  await using cluster = await startCluster({ jobs, schedulers: 2, executors: 1, lease: '9s' })
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })
  const handle = await offstage.startJob(sleep, { forMs: 20_000 })
  const client = new Client({ connectionString: cluster.databaseUrl })
  await client.connect()
  await using resources = new AsyncDisposableStack()
  resources.defer(() => client.end())
  const row = async () => {
    const { rows } = await client.query(`
      SELECT a.scheduler, a.in_doubt, now.round - a.renew_round AS behind
      FROM offstage.attachments a CROSS JOIN offstage.lease_rounds now`)
    return rows[0]
  }
  await until(async () => (await handle.refresh()).attempt === 1)
  await client.query('BEGIN')
  await client.query('SELECT FROM offstage.attachments FOR UPDATE')
  await until(async () => Number((await row()).behind) > 7, { timeoutMs: 60_000 })
  const { scheduler } = await row()
  const { pid } =
    cluster.schedulers
      .map(({ process: it }) => it)
      .find((it) => scheduler.endsWith(`:${it.pid}`)) ?? {}
  if (pid === undefined) throw new Error(`none of them is ${scheduler}`)
  process.kill(pid, 'SIGSTOP')
  try {
    await client.query('COMMIT')
    await until(async () => (await row()).in_doubt)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await until(async () => !(await row()).in_doubt)
  expect((await handle.waitForCompletion()).state).toBe('succeeded')
  expect(await handle.refresh()).toMatchObject({ attempt: 1, crashCount: 0 })
  const text = cluster.schedulers.map(({ process }) => process.stdout).join('')
  expect(text).not.toContain('leases have run out')
})

test.for([
  { what: 'stops in order', signals: ['SIGTERM'] as const, lost: false },
  { what: 'is killed while it drains', signals: ['SIGTERM', 'SIGKILL'] as const, lost: true },
])('an executor that $what: its lease runs out is $lost', { timeout: 60_000 }, async (given) => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1 })
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })
  const [leaving] = cluster.executors
  if (given.lost) {
    const handle = await offstage.startJob(steps, { count: 1_000, everyMs: 50 })
    await until(async () => (await handle.refresh()).attempt === 1)
  }
  const client = new Client({ connectionString: cluster.databaseUrl })
  await client.connect()
  const row = async (column: string) =>
    (
      await client.query(`SELECT ${column} AS it FROM offstage.attachments a
      JOIN offstage.executors e ON e.attachment_id = a.id`)
    ).rows[0]?.it
  for (const signal of given.signals) {
    const ended = leaving?.process.kill(signal)
    if (signal === 'SIGTERM' && given.lost) await until(() => row('draining'))
    else await ended
  }
  await until(() => row('end_round IS NOT NULL'))
  expect(await row('lost')).toBe(given.lost)
  await client.end()
  const text = () => cluster.schedulers.map(({ process }) => process.stdout).join('')
  if (given.lost) await until(() => text().includes('leases have run out'))
  else expect(text()).not.toContain('leases have run out')
})
