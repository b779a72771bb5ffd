import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { startPostgres, type TestPostgres } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigError, UnavailableError } from '../config/mod.ts'
import { openConfiguredPostgres } from './open-configured.ts'

const FOR_LONG_MS = 600_000

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

test('a start waits for a server that is away, says so once, and goes on when it is there', async () => {
  await server.stop()
  const told: string[] = []
  const waits = Promise.withResolvers<void>()
  const onWait = (error: UnavailableError) => {
    told.push(error.message)
    waits.resolve()
  }
  const opening = openConfiguredPostgres(
    'DATABASE_URL',
    { url: server.url },
    { waitMs: FOR_LONG_MS, onWait },
  )
  await waits.promise
  await pause(1_500) // some more tries, of which nothing is said
  await server.start()
  await using database = await opening
  const { rows } = await database.query({ name: '', text: 'SELECT 1 AS one' })
  expect(rows).toEqual([{ one: 1 }])
  expect(told).toEqual([expect.stringContaining('DATABASE_URL: cannot use PostgreSQL')])
})

test('without a wait, and after it, a server that is away is named with its variable', async () => {
  await server.stop()
  for (const patience of [{}, { waitMs: 1 }, { waitMs: 1_200 }]) {
    const opening = openConfiguredPostgres('DATABASE_URL', { url: server.url }, patience)
    await expect(opening).rejects.toThrow(UnavailableError)
  }
  await server.start()
})

test('a stop ends the wait', async () => {
  await server.stop()
  const stop = new AbortController()
  const reason = new Error('stopped')
  const opening = openConfiguredPostgres(
    'DATABASE_URL',
    { url: server.url },
    { waitMs: FOR_LONG_MS, signal: stop.signal, onWait: () => stop.abort(reason) },
  )
  await expect(opening).rejects.toThrow('aborted')
  await server.start()
})

test('what waiting does not mend is told at once', async () => {
  const url = server.url.replace('/postgres?', '/nowhere?').replace(/\/postgres$/, '/nowhere')
  const opening = openConfiguredPostgres('DATABASE_URL', { url }, { waitMs: FOR_LONG_MS })
  await expect(opening).rejects.toThrow(ConfigError)
})

test('a stop ends the wait for a server that takes the connection and says nothing', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const stop = new AbortController()
  const reason = new Error('stopped')
  const opening = openConfiguredPostgres(
    'DATABASE_URL',
    { url: `postgres://ann@127.0.0.1:${port}/jobs`, connectTimeoutMs: FOR_LONG_MS },
    { waitMs: FOR_LONG_MS, signal: stop.signal },
  )
  const [socket] = await once(silent, 'connection')
  stop.abort(reason)
  await expect(opening).rejects.toBe(reason)
  socket.destroy()
  silent.close()
})
