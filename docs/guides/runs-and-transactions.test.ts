/** Runs the guide as it stands, over PostgreSQL. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { Offstage } from '@offstage/sdk'
import { inTransaction } from '@offstage/sdk/transactions'
import { until } from '@offstage/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'
import { startCluster } from '../../test/cluster/cluster.ts'
import { blocksOf } from '../code-blocks.ts'

/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = fileURLToPath(new URL('../../.offstage/', import.meta.url))

async function createOrders(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  await inTransaction(client, async () => {
    await client.query('CREATE SCHEMA shop')
    await client.query('CREATE TABLE shop.orders (name text NOT NULL)')
  })
  await client.end()
}

test('the examples do what they say: what a request or a handler leaves open is rolled back, and told with where it was opened', {
  timeout: 120_000,
}, async () => {
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  const [service = '', jobs = ''] = await blocksOf('docs/guides/runs-and-transactions.md', 'ts')
  await writeFile(join(cwd, 'service.ts'), service)
  await writeFile(join(cwd, 'jobs.ts'), jobs)
  await using cluster = await startCluster({
    ...{ jobs: pathToFileURL(join(cwd, 'jobs.ts')), schedulers: 1, executors: 1 },
    prepareDatabase: createOrders,
    envOf: (_service, { databaseUrl }) => ({ SHOP_DATABASE_URL: databaseUrl }),
  })
  const env = {
    ...process.env,
    SHOP_DATABASE_URL: cluster.databaseUrl,
    OFFSTAGE_SCHEDULER: cluster.target(),
    OFFSTAGE_STORAGE: '127.0.0.1:1',
  }
  const program = join(cwd, 'service.ts')
  await promisify(execFile)(process.execPath, [program], { env, timeout: 60_000 })

  await using offstage = await Offstage.connect({ scheduler: cluster.target() })
  await offstage.run('orders.forget')
  // By the one connection of the pool.
  expect(await offstage.run('orders.count')).toBe(1)
  const [executor] = cluster.executors
  const told = () => executor?.process.stdout.split('\n').find((line) => line.includes('leftOpen'))
  await until(() => told() !== undefined)
  expect(JSON.parse(told() ?? '')).toMatchObject({
    method: 'orders.forget',
    leftOpen: [{ what: 'a transaction', openedAt: expect.stringMatching(/jobs\.ts:\d+:\d+\)$/) }],
  })
})
