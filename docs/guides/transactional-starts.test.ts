/** Runs the guide as it stands, in its order, against services over PostgreSQL under the roles it speaks of. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { openPostgres } from '@offstage/kit/database'
import { SQL_STATES } from '@offstage/proto/sql-states'
import { Offstage } from '@offstage/sdk'
import { pythonWith } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from '../../test/cluster/cluster.ts'
import { allBlocksOf, blocksOf } from '../code-blocks.ts'

const PAGE = 'docs/guides/transactional-starts.md'
const root = fileURLToPath(new URL('../..', import.meta.url))
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = join(root, '.offstage/')
const PSYCOPG = 'psycopg[binary]==3.3.9'
const run = promisify(execFile)

const JOB = `
import { defineJob } from '@offstage/sdk/jobs'
export const confirm = defineJob({
  method: 'orders.confirm',
  run: (_job, { order }) => 'order ' + order + ' is confirmed',
})
`

async function execute(url: string, ...scripts: readonly string[]): Promise<unknown[]> {
  await using database = await openPostgres({ url, poolSize: 1 })
  const answers: unknown[] = []
  for (const text of scripts) answers.push((await database.query({ name: '', text })).rows)
  return answers
}

test('every example of the guide does what it says, from SQL, TypeScript and Python', {
  timeout: 300_000,
}, async () => {
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  await writeFile(join(cwd, 'job.ts'), JOB)
  const roles = await readFile(join(root, 'deploy/postgres/roles.sql'), 'utf8')
  await using cluster = await startCluster({
    ...{ jobs: pathToFileURL(join(cwd, 'job.ts')), schedulers: 1, executors: 1 },
    prepareDatabase: async (url) => void (await execute(url, roles)),
  })
  const { databaseUrl } = cluster
  const blocks = await allBlocksOf(PAGE)
  const sql = blocks.filter(({ language }) => language === 'sql').map(({ code }) => code)
  const [grants = '', tables = '', fromQuery = ''] = sql
  await execute(databaseUrl, grants, tables)
  const shop = databaseUrl.replace('postgres@', 'shop@')
  const env = {
    ...process.env,
    SHOP_DATABASE_URL: shop,
    OFFSTAGE_SCHEDULER: cluster.target(),
    OFFSTAGE_STORAGE: '127.0.0.1:1',
  }

  const [example = ''] = await blocksOf(PAGE, 'ts')
  await writeFile(join(cwd, 'example.ts'), example)
  await run(process.execPath, [join(cwd, 'example.ts')], { env, timeout: 60_000 })

  await using offstage = await Offstage.connect({ scheduler: cluster.target(), user: 'svc-shop' })
  const python = await pythonWith(PSYCOPG, join(SCRATCH, 'python-with-psycopg'))
  if (python !== undefined) {
    const [script = ''] = await blocksOf(PAGE, 'python')
    const { stdout } = await run(python, ['-c', script], { env, timeout: 60_000 })
    const [, id = ''] = /^started ([0-9a-f-]{36})$/m.exec(stdout) ?? []
    expect(await offstage.job(id).value()).toMatch(/^order \d+ is confirmed$/)
    expect(stdout).toMatch(/^refused OS001 options has no "kee"$/m)
  }

  const [started] = await execute(shop, fromQuery)
  const ids = (started as { start_job: string }[]).map(({ start_job }) => start_job)
  expect(ids).toHaveLength(python === undefined ? 1 : 2)
  for (const id of ids) expect(await offstage.job(id).value()).toMatch(/ is confirmed$/)
  const { owner } = await offstage.job(ids[0] ?? '').refresh()
  expect(owner).toBe('sql:shop')
})

test('the table of the guide has each SQLSTATE with its reason', async () => {
  const page = await readFile(join(root, PAGE), 'utf8')
  const rows = [...page.matchAll(/^\| `(OS\d+)` \| \[([A-Z_]+)\]/gm)]
  expect(Object.fromEntries(rows.map(([, state, reason]) => [reason, state]))).toEqual(SQL_STATES)
})
