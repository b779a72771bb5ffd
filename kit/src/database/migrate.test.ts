import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createSharedDatabase, until } from '@offstage/testkit'
import { afterAll, describe, expect, test } from 'vitest'
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

/** An empty one, which is gone with the server. */
const createDatabase = async () => (await createSharedDatabase()).url

let pglite: Promise<Database> | undefined
afterAll(async () => (await pglite)?.[Symbol.asyncDispose]())

/** One for all, as to open one takes longer than its test; each leaves it empty. */
async function emptyPglite(): Promise<Database> {
  pglite ??= openPglite()
  const database = await pglite
  const clear = { name: '', text: `DROP SCHEMA IF EXISTS ${schema}, storage CASCADE` }
  return { ...database, [Symbol.asyncDispose]: async () => void (await database.query(clear)) }
}

const adapters = {
  pglite: emptyPglite,
  postgres: async () => openPostgres({ url: await createDatabase() }),
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
  const url = await createDatabase()
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
    url: await createDatabase(),
    statementTimeoutMs: 100,
  })
  const slow = { version: 1, name: 'slow', sql: 'SELECT pg_sleep(0.3)' }
  await migrate(database, { schema, migrations: [slow] })
  const text = 'SELECT version FROM jobs.offstage_migrations'
  expect(await rowsOf(database, text)).toEqual([{ version: 1 }])
})

test('a migration that cannot lock its table lets others use it meanwhile, and is applied later', async () => {
  const url = await createDatabase()
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

describe('an index that is made while others write', () => {
  const noted = {
    version: 2,
    name: 'noted',
    sql: `-- concurrently: the table may be large
      CREATE INDEX CONCURRENTLY IF NOT EXISTS job_note ON jobs.job (note);
      CREATE INDEX CONCURRENTLY IF NOT EXISTS job_both ON jobs.job (id, note) WHERE note IS NOT NULL;`,
  }
  const indexes = `SELECT c.relname AS name, i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'jobs.job'::regclass AND NOT i.indisprimary ORDER BY 1`
  const both = [
    { name: 'job_both', valid: true },
    { name: 'job_note', valid: true },
  ]

  test.each(Object.entries(adapters))(
    'is there afterwards, and remembered, on %s',
    async (_kind, open) => {
      await using database = await open()
      await migrate(database, { schema, migrations: [first, noted] })
      await migrate(database, { schema, migrations: [first, noted] })
      expect(await rowsOf(database, indexes)).toEqual(both)
      const text = 'SELECT version FROM jobs.offstage_migrations ORDER BY version'
      expect(await rowsOf(database, text)).toEqual([{ version: 1 }, { version: 2 }])
    },
  )

  test('keeps nobody from writing, and replicas that start meanwhile wait for it', async () => {
    const url = await createDatabase()
    await using database = await openPostgres({ url, poolSize: 1 })
    await using second = await openPostgres({ url, poolSize: 1 })
    await using other = await openPostgres({ url, transactionIdleMs: 0 })
    await migrate(database, { schema, migrations: [first] })
    const migrated: Promise<void>[] = []
    const told: string[] = []
    // Somebody who has written and has not ended is waited for.
    await other.transaction(async (tx) => {
      await tx.query({ name: '', text: "UPDATE jobs.job SET note = 'held' WHERE id = 1" })
      const options = {
        schema,
        migrations: [first, noted],
        warn: (text: string) => told.push(text),
      }
      migrated.push(migrate(database, options))
      const waits =
        "SELECT FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'"
      await until(async () => (await rowsOf(other, waits)).length === 1)
      migrated.push(migrate(second, options))
      await rowsOf(other, "INSERT INTO jobs.job VALUES (2, 'meanwhile')")
      await until(async () => second.stats().idle === 1, { what: 'the other has looked' })
      expect(await rowsOf(other, 'SELECT version FROM jobs.offstage_migrations')).toHaveLength(1)
    })
    await Promise.all(migrated)
    expect(await rowsOf(other, indexes)).toEqual(both)
    // By one of them, each once.
    expect(told).toHaveLength(2)
    expect(told[0]).toContain('jobs.job_note')
  })

  test('is made anew where a process died over it, and left an invalid one', async () => {
    await using database = await openPostgres({ url: await createDatabase() })
    await migrate(database, { schema, migrations: [first] })
    await rowsOf(database, 'INSERT INTO jobs.job VALUES (2, NULL), (3, NULL)')
    const text = 'CREATE UNIQUE INDEX CONCURRENTLY job_note ON jobs.job ((note IS NULL))'
    await expect(rowsOf(database, text)).rejects.toThrow('could not create unique index')
    expect(await rowsOf(database, indexes)).toEqual([{ name: 'job_note', valid: false }])
    await migrate(database, { schema, migrations: [first, noted] })
    expect(await rowsOf(database, indexes)).toEqual(both)
    const definition = "SELECT pg_get_indexdef('jobs.job_note'::regclass) AS text"
    expect(await rowsOf(database, definition)).toEqual([
      { text: 'CREATE INDEX job_note ON jobs.job USING btree (note)' },
    ])
  })

  test('that fails is not remembered, and goes on where it stopped once it can', async () => {
    await using database = await openPostgres({ url: await createDatabase() })
    const unique = {
      ...noted,
      sql: `${noted.sql} CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS job_unique ON jobs.job (note);`,
    }
    const all = { schema, migrations: [first, unique] }
    await migrate(database, { schema, migrations: [first] })
    await rowsOf(database, "INSERT INTO jobs.job VALUES (2, 'a;b')")
    await expect(migrate(database, all)).rejects.toThrow(/migration 2 \(noted\).*job_unique/)
    const made = [...both, { name: 'job_unique', valid: false }]
    expect(await rowsOf(database, indexes)).toEqual(made)
    await rowsOf(database, 'DELETE FROM jobs.job WHERE id = 2')
    await migrate(database, all)
    expect(await rowsOf(database, indexes)).toEqual([...both, { name: 'job_unique', valid: true }])
  })

  test('stands in no migration with anything else', async () => {
    await using database = await openPostgres({ url: await createDatabase() })
    const wrong = { ...noted, sql: `${noted.sql} ALTER TABLE jobs.job ADD COLUMN more text;` }
    const migrations = [first, wrong]
    await expect(migrate(database, { schema, migrations })).rejects.toThrow(
      'nothing but CREATE INDEX',
    )
  })
})

test('versions with a gap and odd schema names are refused before anything happens', async () => {
  await using database = await emptyPglite()
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
