import { createServer } from 'node:net'
import { freePort, startPostgres, type TestPostgres, until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { isConnectionError, sqlStateOf } from './errors.ts'
import { openPostgres } from './postgres.ts'

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const sleepLong = { name: 'sleep_long', text: 'SELECT pg_sleep(60)' }
const one = { name: 'one', text: 'SELECT 1 AS one' }

/** Rejections are kept, so that none goes unhandled while the test looks elsewhere. */
const outcomeOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error) => error,
  )

async function untilSleeping(database: Database, count: number): Promise<void> {
  const text = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
  const sleeping = async () => (await database.query({ name: '', text })).rowCount === count
  await until(sleeping, { what: `${count} sleeping statements` })
}

test.each(['restart', 'kill'] as const)(
  'after a %s of the server, work under way is rejected and the pool recovers by itself',
  async (how) => {
    const reported: unknown[] = []
    await using database = await openPostgres({
      url: server.url,
      poolSize: 4,
      onError: (error) => reported.push(error),
    })
    const reachable: boolean[] = []
    database.onReachableChange((is) => reachable.push(is))
    const plain = outcomeOf(database.query(sleepLong))
    const inTransaction = outcomeOf(database.transaction((tx) => tx.query(sleepLong)))
    const between = Promise.withResolvers<void>()
    const idleInTransaction = outcomeOf(
      database.transaction(async (tx) => {
        await tx.query(one)
        await between.promise
        await tx.query(one)
      }),
    )
    await untilSleeping(database, 2)
    if (how === 'restart') await server.restart('immediate')
    else {
      await server.kill()
      await server.start()
    }
    expect(isConnectionError(await plain)).toBe(true)
    expect(isConnectionError(await inTransaction)).toBe(true)
    between.resolve()
    expect(isConnectionError(await idleInTransaction)).toBe(true)
    const answers = await Promise.all(Array.from({ length: 8 }, () => database.query(one)))
    expect(answers.map(({ rows }) => rows)).toEqual(Array(8).fill([{ one: 1 }]))
    expect(reported.every(isConnectionError)).toBe(true)
    expect(database.stats().total).toBeLessThanOrEqual(4)
    expect([reachable.at(0), reachable.at(-1)]).toEqual([false, true])
  },
)

test('an idle connection that the server ends is told to onError and replaced', async () => {
  const reported = Promise.withResolvers<unknown>()
  await using admin = await openPostgres({ url: server.url })
  await using database = await openPostgres({
    url: server.url,
    applicationName: 'idle-victim',
    onError: reported.resolve,
  })
  const text = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1'
  expect((await admin.query({ name: '', text }, ['idle-victim'])).rowCount).toBe(1)
  expect(isConnectionError(await reported.promise)).toBe(true)
  expect((await database.query(one)).rows).toEqual([{ one: 1 }])
})

test('a statement that takes too long is ended by the server, the connection stays', async () => {
  await using database = await openPostgres({ url: server.url, statementTimeoutMs: 50 })
  const error = await outcomeOf(database.query(sleepLong))
  expect(sqlStateOf(error)).toBe('57014')
  expect(isConnectionError(error)).toBe(false)
  expect(database.stats()).toEqual({ total: 1, idle: 1, waiting: 0 })
})

test('a transaction that falls silent is ended by the server: what it has locked is free for others', async () => {
  await using database = await openPostgres({ url: server.url, transactionIdleMs: 100 })
  await database.query({ name: '', text: 'CREATE TABLE held ()' })
  const lock = { name: '', text: 'LOCK TABLE held' }
  const locked = Promise.withResolvers<void>()
  const others = Promise.withResolvers<void>()
  const frozen = outcomeOf(
    database.transaction(async (tx) => {
      await tx.query(lock)
      locked.resolve()
      await others.promise
      await tx.query(one)
    }),
  )
  await locked.promise
  await database.transaction((tx) => tx.query(lock))
  others.resolve()
  expect(isConnectionError(await frozen)).toBe(true)
  expect((await database.query(one)).rows).toEqual([{ one: 1 }])
})

test('waiting too long for a free connection is a connection error, and closing still ends', async () => {
  await using database = await openPostgres({ url: server.url, poolSize: 1, connectTimeoutMs: 200 })
  const [began, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holder = database.transaction(() => {
    began.resolve()
    return held.promise
  })
  await began.promise
  const waiting = outcomeOf(database.query(one))
  const { waiting: waitingCount } = database.stats()
  const error = await waiting
  held.resolve()
  expect(waitingCount).toBe(1)
  expect(isConnectionError(error)).toBe(true)
  await holder
})

test('a statement is prepared once for each connection, under its name', async () => {
  await using database = await openPostgres({ url: server.url, poolSize: 1 })
  for (let i = 0; i < 3; i++) await database.query(one)
  const text = 'SELECT name, generic_plans + custom_plans AS runs FROM pg_prepared_statements'
  expect((await database.query({ name: '', text })).rows).toEqual([{ name: 'one', runs: 3 }])
})

test('a server that is not there is a connection error that names the place, not the password', async () => {
  const url = `postgres://someone:sesame@127.0.0.1:${await freePort()}/offstage`
  const error = await outcomeOf(openPostgres({ url }))
  expect(isConnectionError(error)).toBe(true)
  expect(String(error)).toMatch(/127\.0\.0\.1:\d+\/offstage.*ECONNREFUSED/)
  expect(String(error)).not.toContain('sesame')
})

test('a server that accepts and never answers is given up in time', async () => {
  await using silent = createServer((socket) => socket.resume().on('error', () => {}))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = silent.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const url = `postgres://someone@127.0.0.1:${port}/offstage`
  const error = await outcomeOf(openPostgres({ url, connectTimeoutMs: 100 }))
  expect(isConnectionError(error)).toBe(true)
})

test('a database that does not exist is refused for good', async () => {
  const error = await outcomeOf(openPostgres({ url: `${server.url}_absent` }))
  expect(String(error)).toMatch(/postgres_absent.*does not exist/)
  expect(isConnectionError(error)).toBe(false)
})

test('a role whose transactions see no more than what was there at their beginning is refused, with what to do', async () => {
  const url = await server.createDatabase()
  const name = new URL(url).pathname.slice(1)
  await using administrator = await openPostgres({ url: server.url })
  const set = (isolation: string) =>
    administrator.query({
      name: '',
      text: `ALTER DATABASE "${name}" SET default_transaction_isolation = '${isolation}'`,
    })
  for (const isolation of ['repeatable read', 'serializable']) {
    await set(isolation)
    await expect(openPostgres({ url })).rejects.toThrow(
      `default_transaction_isolation is ${isolation}, and Offstage needs read committed: ALTER ROLE`,
    )
  }
  await set('read committed')
  await using _database = await openPostgres({ url })
})
