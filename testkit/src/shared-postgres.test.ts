import { Client } from 'pg'
import { expect, test } from 'vitest'
import { createSharedDatabase } from './shared-postgres.ts'

async function run(url: string, ...statements: readonly string[]) {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    let rows: readonly unknown[] = []
    for (const statement of statements) rows = (await client.query(statement)).rows
    return rows
  } finally {
    await client.end()
  }
}

const prepare = async (url: string) => {
  await run(
    url,
    'CREATE TABLE made (id bigserial PRIMARY KEY, body bytea, at timestamptz)',
    'CREATE TABLE parts (of bigint NOT NULL REFERENCES made)',
    "INSERT INTO made VALUES (0, '\\x00ff', '2027-01-01T00:00Z')",
    'INSERT INTO parts VALUES (0)',
  )
}

/** What a test finds in a database. */
async function contentOf(url: string) {
  const found = await run(url, 'SELECT id, body, at, (SELECT count(*) FROM parts) FROM made')
  return { found, next: await run(url, "SELECT nextval('made_id_seq')") }
}

test('what is given back is had again, with its rows and numbers as they were', async () => {
  const first = await createSharedDatabase(prepare)
  const fresh = await contentOf(first.url)
  expect(fresh.found).toHaveLength(1)
  await run(first.url, 'DELETE FROM parts', 'DELETE FROM made', 'INSERT INTO made DEFAULT VALUES')
  const connected = new Client({ connectionString: first.url })
  await connected.connect()
  const over = new Promise((resolve) => connected.on('error', resolve))
  await first[Symbol.asyncDispose]()
  expect(await over).toMatchObject({ code: '57P01' })

  await using second = await createSharedDatabase(prepare)
  expect(second.url).toBe(first.url)
  expect(await contentOf(second.url)).toEqual(fresh)
  await using beside = await createSharedDatabase(prepare)
  expect(beside.url).not.toBe(second.url)
  expect(await contentOf(beside.url)).toEqual(fresh)
})

test('a preparation that fails is made again for the next one', async () => {
  let begun = 0
  const failing = async (url: string) => {
    begun += 1
    if (begun === 1) throw new Error('no luck')
    await prepare(url)
  }
  await expect(createSharedDatabase(failing)).rejects.toThrow('no luck')
  await using second = await createSharedDatabase(failing)
  expect((await contentOf(second.url)).found).toHaveLength(1)
})

test.each([
  ['a table', 'ALTER TABLE parts ADD note text'],
  ['a function', 'CREATE FUNCTION one() RETURNS int LANGUAGE sql AS $$SELECT 1$$'],
  ['a right', 'GRANT SELECT ON parts TO pg_monitor'],
  ['the statistics', 'ANALYZE made'],
  ['a setting', 'ALTER ROLE postgres IN DATABASE CURRENT SET work_mem = 64'],
  ['its size', 'INSERT INTO made SELECT n FROM generate_series(1, 400000) n'],
])('one in which a test has changed %s is not had again', async (_what, statement) => {
  const changed = await createSharedDatabase(prepare)
  const current = new URL(changed.url).pathname.slice(1)
  await run(changed.url, statement.replace('CURRENT', current))
  await changed[Symbol.asyncDispose]()
  await using other = await createSharedDatabase(prepare)
  expect(other.url).not.toBe(changed.url)
  await expect(run(changed.url, 'SELECT 1')).rejects.toMatchObject({ code: '3D000' })
})
