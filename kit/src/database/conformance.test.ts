/** What both adapters promise, word for word the same. Starting one takes seconds: one for each suite. */

import { startPostgres } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database, Queryable } from './database.ts'
import { constraintOf, isConnectionError, sqlStateOf } from './errors.ts'
import { openPglite } from './pglite.ts'
import { openPostgres } from './postgres.ts'

const adapters = {
  pglite: () => openPglite(),
  postgres: async (resources: AsyncDisposableStack) => {
    const server = resources.use(await startPostgres({ settings: { timezone: 'Asia/Kolkata' } }))
    return openPostgres({ url: await server.createDatabase(), poolSize: 4 })
  },
}

describe.each(Object.entries(adapters))('%s', (kind, open) => {
  const resources = new AsyncDisposableStack()
  let database: Database

  beforeAll(async () => {
    database = resources.use(await open(resources))
    await run(database, 'CREATE TABLE item (id int CONSTRAINT item_id PRIMARY KEY, note text)')
  })
  afterAll(() => resources.disposeAsync())

  test('says what it is', () => {
    expect(database.kind).toBe(kind)
    expect(database.stats()).toEqual({ total: 1, idle: 1, waiting: 0 })
  })

  const at = new Date('2026-02-28T23:59:59.987Z')
  const old = new Date('0042-01-02T03:04:05.006Z')
  const awkward = [
    '',
    'NULL',
    'null',
    ' ',
    'a"b',
    'c\\d',
    'e,f',
    '{g}',
    'h\ni\t"j"',
    '€😀"',
    '\u007f"',
  ]
  const document = { text: 'a "quoted" \\ back\nslash 😀', list: [1, [2]], nothing: null }

  test.each([
    ['text', 'it\'s "q" \\ 😀\n'],
    ['uuid', '0199f6d4-4a0e-7c43-9a55-3f8b1d2c4e5f'],
    ['int4', -42],
    ['int8', Number.MAX_SAFE_INTEGER],
    ['float8', 0.1],
    ['bool', true],
    ['bool', false],
    ['bytea', Buffer.from([0, 1, 92, 34, 255])],
    ['bytea', Buffer.alloc(0)],
    ['timestamptz', at],
    ['timestamptz', old],
    ['timestamptz', new Date('1900-01-01T00:00:00.000Z')],
    ['jsonb', document],
    ['numeric', '12345678901234567890.5'],
    ['date', '2026-02-28'],
    ['text[]', awkward],
    ['text[]', []],
    ['text[]', [null, 'a', null]],
    ['uuid[]', ['0199f6d4-4a0e-7c43-9a55-3f8b1d2c4e5f', null]],
    ['int4[]', [1, null, -3]],
    ['int8[]', [Number.MAX_SAFE_INTEGER, null, Number.MIN_SAFE_INTEGER]],
    ['float8[]', [0.5, null, Number.NEGATIVE_INFINITY]],
    ['bool[]', [true, null, false]],
    ['bytea[]', [Buffer.from('x"\\'), null, Buffer.alloc(0)]],
    ['bytea[]', [null, Buffer.from([0, 255])]],
    ['bytea[]', [null, null]],
    ['timestamptz[]', [at, null, old, new Date(0)]],
    ['jsonb[]', [document, null, [1, 'two'], {}]],
  ])('a %s comes back as it went in: %j', async (type, value) => {
    const { rows } = await run(database, `SELECT $1::${type} AS value, NULL::${type} AS nothing`, [
      value,
    ])
    expect(rows).toEqual([{ value, nothing: null }])
  })

  test('null and undefined are NULL for every type', async () => {
    const text = 'SELECT $1::text AS a, $2::bytea AS b, $3::jsonb AS c, $4::int8[] AS d'
    const { rows } = await run(database, text, [null, undefined, null, undefined])
    expect(rows).toEqual([{ a: null, b: null, c: null, d: null }])
  })

  test('a jsonb string is JSON text as it stands, at the top and in an array', async () => {
    const { rows } = await run(database, 'SELECT $1::jsonb AS one, $2::jsonb[] AS many', [
      '[1, "x"]',
      ['"text"', '7', '{"a": "\\"b\\""}', 'null'],
    ])
    expect(rows).toEqual([{ one: [1, 'x'], many: ['text', 7, { a: '"b"' }, null] }])
  })

  test('a Uint8Array that is a window on a larger buffer sends only its own bytes', async () => {
    const window = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
    const { rows } = await run(database, 'SELECT $1::bytea AS one, $2::bytea[] AS many', [
      window,
      [window],
    ])
    expect(rows).toEqual([{ one: Buffer.from([2, 3]), many: [Buffer.from([2, 3])] }])
  })

  test('unnest over columns of every type gives a row for each element, NULLs in place', async () => {
    const uuid = '0199f6d4-4a0e-7c43-9a55-3f8b1d2c4e5f'
    const { rows, rowCount } = await run(
      database,
      `SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::timestamptz[], $5::jsonb[], $6::int8[])
         AS row (a, b, c, d, e, f)`,
      [
        [uuid, null],
        [null, 'b'],
        [Buffer.from([1]), null],
        [null, at],
        ['{"a":[1]}', null],
        [null, 2 ** 40],
      ],
    )
    expect(rowCount).toBe(2)
    expect(rows).toEqual([
      { a: uuid, b: null, c: Buffer.from([1]), d: null, e: { a: [1] }, f: null },
      { a: null, b: 'b', c: null, d: at, e: null, f: 2 ** 40 },
    ])
  })

  test.each([
    ['an int8 beyond 2^53', 'SELECT 9007199254740993::int8 AS value'],
    ['a timestamp at infinity', "SELECT 'infinity'::timestamptz AS value"],
    ['an array of several dimensions', 'SELECT ARRAY[[1],[2]] AS value'],
  ])('%s is refused, and the connection goes on', async (_, text) => {
    await expect(run(database, text)).rejects.toThrow(RangeError)
    expect((await run(database, 'SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  test('a timestamp beyond year 9999, a symbol and bytes among text are refused as parameters', async () => {
    const far = new Date('+010000-01-01T00:00:00Z')
    await expect(run(database, 'SELECT $1::timestamptz', [far])).rejects.toThrow(RangeError)
    const mixed = [[Symbol('x')], [null, Buffer.alloc(1), 'x'], ['x', Buffer.alloc(1)]]
    for (const elements of mixed) {
      await expect(run(database, 'SELECT $1::text[]', [elements])).rejects.toThrow(TypeError)
    }
  })

  test('a violated constraint is told by its name and SQLSTATE, and costs no connection', async () => {
    await run(database, 'INSERT INTO item (id) VALUES (1)')
    const before = database.stats()
    const error = await run(database, 'INSERT INTO item (id) VALUES (1)').catch((e) => e)
    expect(sqlStateOf(error)).toBe('23505')
    expect(constraintOf(error)).toBe('item_id')
    expect(isConnectionError(error)).toBe(false)
    expect(database.stats()).toEqual(before)
  })

  test('a statement that failed is prepared anew and works', async () => {
    const insert = { name: 'insert_item', text: 'INSERT INTO item (id) VALUES ($1)' }
    await expect(database.query({ name: 'bad', text: 'SELEC 1' })).rejects.toThrow(/syntax/)
    await expect(database.query(insert, ['x'])).rejects.toThrow(/integer/)
    expect((await database.query(insert, [2])).rowCount).toBe(1)
    expect((await database.query(insert, [3])).rowCount).toBe(1)
    await expect(database.query(insert, [3])).rejects.toThrow(/item_id/)
    expect((await database.query(insert, [4])).rowCount).toBe(1)
  })

  test('a script of several statements gives the result of the last', async () => {
    const text = 'CREATE TABLE pair (a int); INSERT INTO pair VALUES (1), (2); SELECT * FROM pair'
    expect(await database.query({ name: '', text })).toEqual({
      rows: [{ a: 1 }, { a: 2 }],
      rowCount: 2,
    })
  })

  test('what a transaction wrote is there after it, and its result is passed on', async () => {
    const result = await database.transaction(async (tx) => {
      await run(tx, 'INSERT INTO item VALUES (10)')
      await run(tx, 'INSERT INTO item VALUES (11)')
      return 'done'
    })
    expect(result).toBe('done')
    expect(await countItems(database, 10, 11)).toBe(2)
  })

  test('a transaction that throws leaves nothing, and the error is passed on', async () => {
    const fault = new Error('no')
    const work = async (tx: Queryable) => {
      await run(tx, 'INSERT INTO item VALUES (20)')
      throw fault
    }
    await expect(database.transaction(work)).rejects.toBe(fault)
    expect(await countItems(database, 20, 20)).toBe(0)
  })

  test('a transaction that swallowed a refusal is not reported as committed', async () => {
    const work = async (tx: Queryable) => {
      await run(tx, 'INSERT INTO item VALUES (30)')
      await run(tx, 'SELECT 1/0').catch(() => {})
    }
    await expect(database.transaction(work)).rejects.toThrow(/rolled back/)
    expect(await countItems(database, 30, 30)).toBe(0)
  })

  test('statements given to a transaction at once run one by one, none after its end', async () => {
    let escaped: Queryable | undefined
    await database.transaction(async (tx) => {
      escaped = tx
      await Promise.all([40, 41, 42, 43].map((id) => run(tx, `INSERT INTO item VALUES (${id})`)))
      run(tx, 'INSERT INTO item VALUES (44)')
    })
    expect(await countItems(database, 40, 44)).toBe(5)
    await expect(escaped?.query({ name: '', text: 'SELECT 1' })).rejects.toThrow(/ended/)
  })

  test('transactions at once do not see each other half done', async () => {
    await run(database, 'CREATE TABLE counter AS SELECT 0 AS n')
    const increment = () =>
      database.transaction(async (tx) => {
        const { rows } = await run<{ n: number }>(tx, 'SELECT n FROM counter FOR UPDATE')
        await run(tx, 'UPDATE counter SET n = $1', [Number(rows[0]?.n) + 1])
      })
    await Promise.all(Array.from({ length: 20 }, increment))
    expect((await run(database, 'SELECT n FROM counter')).rows).toEqual([{ n: 20 }])
  })

  test('what was set in a session ends with it, and it may do what no transaction may', async () => {
    const told = await database.session(async (session) => {
      await session.query({ name: '', text: "SET application_name = 'of the session'" })
      await session.query({ name: '', text: 'VACUUM item' })
      return (await run(session, 'SHOW application_name')).rows
    })
    expect(told).toEqual([{ application_name: 'of the session' }])
    expect((await run(database, 'SHOW application_name')).rows).not.toEqual(told)
    const failed = database.session((session) => run(session, 'SELECT nothing'))
    await expect(failed).rejects.toThrow('nothing')
    expect((await run(database, 'SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  })

  test('queries at once all get their own answer', async () => {
    const echo = { name: 'echo', text: 'SELECT $1::int4 AS n' }
    const numbers = Array.from({ length: 100 }, (_, n) => n)
    const answers = await Promise.all(numbers.map((n) => database.query(echo, [n])))
    expect(answers.map(({ rows }) => rows)).toEqual(numbers.map((n) => [{ n }]))
  })

  test('a large value comes through both ways', async () => {
    const bytes = Buffer.alloc(3_000_000, 'offstage')
    const { rows } = await run<{ bytes: Buffer }>(database, 'SELECT $1::bytea AS bytes', [bytes])
    expect(rows[0]?.bytes.equals(bytes)).toBe(true)
  })

  test('closing waits for all that was asked for, and refuses what comes later', async () => {
    await using own = new AsyncDisposableStack()
    const other = await open(own)
    const asked = Array.from({ length: 20 }, (_, n) => run(other, 'SELECT $1::int4 AS n', [n]))
    await Promise.all([other[Symbol.asyncDispose](), other[Symbol.asyncDispose]()])
    expect((await Promise.all(asked)).length).toBe(20)
    await expect(run(other, 'SELECT 1')).rejects.toThrow(/closed/)
    expect(other.stats().total).toBe(0)
  })
})

function run<Row>(target: Queryable, text: string, values: readonly unknown[] = []) {
  return target.query<Row>({ name: '', text }, values)
}

async function countItems(database: Database, from: number, to: number): Promise<number> {
  const text = 'SELECT count(*) AS n FROM item WHERE id BETWEEN $1 AND $2'
  const { rows } = await run<{ n: number }>(database, text, [from, to])
  return Number(rows[0]?.n)
}
