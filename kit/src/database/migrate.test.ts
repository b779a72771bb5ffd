import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startPostgres, type TestPostgres, until } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { sqlStateOf } from './errors.ts'
import { migrate } from './migrate.ts'
import { loadMigrations, type Migration } from './migrations.ts'
import { openPglite } from './pglite.ts'
import { openPostgres } from './postgres.ts'

const schema = 'jobs'
const first = {
  version: 1,
  name: 'job',
  sql: `CREATE TABLE job (id int PRIMARY KEY, note text);
    -- a semicolon; in a comment
    CREATE FUNCTION jobs.twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 2 * n; END $$;
    INSERT INTO job VALUES (1, 'a;b');`,
}
const second = { version: 2, name: 'more', sql: 'INSERT INTO jobs.job VALUES (jobs.twice(1))' }
const migrations: Migration[] = [first, second]

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const adapters = {
  pglite: () => openPglite(),
  postgres: async () => openPostgres({ url: await server.createDatabase() }),
}

async function rowsOf(database: Database, text: string): Promise<unknown[]> {
  return (await database.query({ name: '', text })).rows
}

describe.each(Object.entries(adapters))('%s', (_kind, open) => {
  test('migrations are applied in order, once, each remembered', async () => {
    await using database = await open()
    const searchPath = await rowsOf(database, 'SHOW search_path')
    await migrate(database, { schema, migrations: [first] })
    await migrate(database, { schema, migrations })
    await migrate(database, { schema, migrations })
    expect(await rowsOf(database, 'SELECT id FROM jobs.job ORDER BY id')).toEqual([
      { id: 1 },
      { id: 2 },
    ])
    const text = `SELECT version, name, length(checksum) AS length, applied_at <= now() AS past
      FROM jobs.offstage_migrations ORDER BY version`
    expect(await rowsOf(database, text)).toEqual([
      { version: 1, name: 'job', length: 64, past: true },
      { version: 2, name: 'more', length: 64, past: true },
    ])
    expect(await rowsOf(database, 'SHOW search_path')).toEqual(searchPath)
  })

  test('a migration that fails leaves nothing of itself, and what came before stays', async () => {
    await using database = await open()
    const broken = { version: 2, name: 'broken', sql: 'CREATE TABLE half (); SELECT 1/0' }
    const error = await migrate(database, { schema, migrations: [first, broken] }).catch((e) => e)
    expect(String(error)).toMatch(/migration 2 \(broken\) of schema jobs failed: division by zero/)
    expect(sqlStateOf(error.cause)).toBe('22012')
    expect(await rowsOf(database, "SELECT to_regclass('jobs.half') AS half")).toEqual([
      { half: null },
    ])
    await migrate(database, { schema, migrations })
    expect(await rowsOf(database, 'SELECT count(*) AS n FROM jobs.job')).toEqual([{ n: 2 }])
  })

  test('a changed migration is refused, and a newer database that breaks older programs', async () => {
    await using database = await open()
    const breaking = { ...second, sql: `-- breaks: readers of notes\n${second.sql}` }
    await migrate(database, { schema, migrations: [first, breaking] })
    const changed = { ...first, sql: `${first.sql} ` }
    await expect(migrate(database, { schema, migrations: [changed, breaking] })).rejects.toThrow(
      'migration 1 (job) of schema jobs has been changed since it was applied',
    )
    await expect(migrate(database, { schema, migrations: [first] })).rejects.toThrow(
      /schema jobs is at version 2 \(more\), newer than this program, which knows 1, and breaks it/,
    )
    const windows = { ...first, sql: first.sql.replaceAll('\n', '\r\n') }
    await migrate(database, { schema, migrations: [windows, breaking] })
  })

  test('a newer database that breaks nothing is taken, and told of', async () => {
    await using database = await open()
    const told: string[] = []
    const warn = (text: string) => told.push(text)
    await migrate(database, { schema, migrations, warn })
    expect(told).toEqual([])
    await migrate(database, { schema, migrations: [first], warn })
    expect(told).toEqual([expect.stringContaining('at version 2 (more), newer than this program')])
    await migrate(database, { schema, migrations })
    expect(await rowsOf(database, 'SELECT count(*) AS n FROM jobs.job')).toEqual([{ n: 2 }])
  })

  test('a newer database is refused where nothing says whether it breaks anything', async () => {
    await using database = await open()
    await migrate(database, { schema, migrations })
    await rowsOf(database, 'ALTER TABLE jobs.offstage_migrations DROP COLUMN breaks')
    await migrate(database, { schema, migrations })
    await expect(migrate(database, { schema, migrations: [first] })).rejects.toThrow('breaks it')
    const third = { version: 3, name: 'third', sql: 'SELECT 1' }
    await migrate(database, { schema, migrations: [...migrations, third] })
    await migrate(database, { schema, migrations })
  })

  test('schemas of one database are migrated apart', async () => {
    await using database = await open()
    await migrate(database, { schema, migrations })
    const other = { version: 1, name: 'other', sql: 'CREATE TABLE job (other text)' }
    await migrate(database, { schema: 'storage', migrations: [other] })
    expect(await rowsOf(database, 'SELECT * FROM storage.job')).toEqual([])
  })
})

test('replicas that start at once apply every migration once', async () => {
  const url = await server.createDatabase()
  await using resources = new AsyncDisposableStack()
  const open = async () => resources.use(await openPostgres({ url, poolSize: 2 }))
  const replicas = await Promise.all(Array.from({ length: 5 }, open))
  await Promise.all(replicas.map((database) => migrate(database, { schema, migrations })))
  for (const database of replicas) {
    expect(await rowsOf(database, 'SELECT count(*) AS n FROM jobs.job')).toEqual([{ n: 2 }])
  }
})

test('a migration may take longer than the statement timeout', async () => {
  await using database = await openPostgres({
    url: await server.createDatabase(),
    statementTimeoutMs: 100,
  })
  const slow = { version: 1, name: 'slow', sql: 'SELECT pg_sleep(0.3)' }
  await migrate(database, { schema, migrations: [slow] })
  const text = 'SELECT version FROM jobs.offstage_migrations'
  expect(await rowsOf(database, text)).toEqual([{ version: 1 }])
})

test('a migration that cannot lock its table lets others use it meanwhile, and is applied later', async () => {
  const url = await server.createDatabase()
  await using database = await openPostgres({ url })
  await using reader = await openPostgres({ url, transactionIdleMs: 0 })
  await migrate(database, { schema, migrations: [first] })
  const wider = { ...second, sql: 'ALTER TABLE jobs.job ADD COLUMN more int' }
  let migrated: Promise<void> | undefined
  // Such as a backup: it reads for as long as it takes, and whoever wants to write to the table as a whole waits for it.
  await reader.transaction(async (tx) => {
    await tx.query({ name: '', text: 'SELECT FROM jobs.job' })
    migrated = migrate(database, { schema, migrations: [first, wider] })
    const waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'jobs.job'::regclass"
    await until(async () => (await rowsOf(reader, waiting)).length > 0)
    expect(await rowsOf(database, 'SELECT id FROM jobs.job')).toEqual([{ id: 1 }])
  })
  await migrated
  expect(await rowsOf(database, 'SELECT more FROM jobs.job')).toEqual([{ more: null }])
})

test('versions with a gap and odd schema names are refused before anything happens', async () => {
  await using database = await openPglite()
  await expect(migrate(database, { schema, migrations: [second] })).rejects.toThrow(
    'migration 2 (more) stands where 1 should',
  )
  await expect(migrate(database, { schema: 'a"b', migrations })).rejects.toThrow(/plain schema/)
})

describe('loadMigrations', () => {
  async function setup(files: Record<string, string>) {
    const folder = await mkdtemp(join(tmpdir(), 'offstage-migrations-'))
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    return {
      url: pathToFileURL(folder),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    }
  }

  test('files come in the order of their versions; what is not .sql is left alone', async () => {
    const files = { '0002-b-c.sql': 'two', '0001-a.sql': 'one', 'README.md': '' }
    await using it = await setup(files)
    expect(await loadMigrations(it.url)).toEqual([
      { version: 1, name: 'a', sql: 'one' },
      { version: 2, name: 'b-c', sql: 'two' },
    ])
  })

  test.each([
    [['0001-a.sql', '0003-c.sql'], 'migration 3 (c) stands where 2 should'],
    [['0001-a.sql', '0001-b.sql'], 'migration 1 (b) stands where 2 should'],
    [['0002-a.sql'], 'migration 2 (a) stands where 1 should'],
    [['1-a.sql'], '1-a.sql is not named like 0001-name.sql'],
  ])('%j is refused', async (names, message) => {
    await using it = await setup(Object.fromEntries(names.map((name) => [name, ''])))
    await expect(loadMigrations(it.url)).rejects.toThrow(message)
  })
})
