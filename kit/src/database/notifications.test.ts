import { startPostgres, type TestPostgres, until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNotifications, type NotificationsOptions } from './notifications.ts'
import { openPostgres } from './postgres.ts'

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

/** A database, who speaks, and who listens: not started yet. */
async function setup(options: Partial<NotificationsOptions> = {}) {
  await using resources = new AsyncDisposableStack()
  const url = await server.createDatabase()
  const speaker = resources.use(await openPostgres({ url, poolSize: 1 }))
  const heard: string[] = []
  const errors: unknown[] = []
  const notifications = resources.use(
    createNotifications({
      url,
      applicationName: 'listener',
      channels: ['one', 'Two "x"'],
      onNotification: (channel, payload) => heard.push(`${channel}: ${payload}`),
      onError: (error) => errors.push(error),
      ...options,
    }),
  )
  const run = async <Row>(text: string) => (await speaker.query<Row>({ name: '', text })).rows
  const listeners = () =>
    run<{ pid: number }>(`
      SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'listener' AND query LIKE 'LISTEN "Two%'`)
  const kept = resources.move()
  return {
    ...{ notifications, heard, errors, run },
    /** Resolves to the process of the server that has the connection, once that listens. */
    async listening(except?: number): Promise<number> {
      let pid: number | undefined
      await until(async () => {
        const found = await listeners()
        pid = found.map((row) => row.pid).find((each) => each !== except)
        return pid !== undefined
      })
      return pid ?? 0
    },
    listeners,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

test('what is said on the channels is heard as its transaction commits, and nothing else', async () => {
  await using it = await setup()
  await it.notifications.start()
  await it.listening()
  await it.run(`NOTIFY other, 'x'`)
  await it.run(`BEGIN; NOTIFY one, 'lost'; ROLLBACK`)
  await it.run(`NOTIFY one`)
  await it.run(`NOTIFY "Two ""x""", 'kept ö'`)
  await until(() => it.heard.length === 2)
  expect(it.heard).toEqual(['one: ', 'Two "x": kept ö'])
  expect(it.errors).toEqual([])
})

test('a connection that breaks is made again, and told of once', async () => {
  await using it = await setup()
  await it.notifications.start()
  const pid = await it.listening()
  await it.run(`SELECT pg_terminate_backend(${pid})`)
  await it.listening(pid)
  await it.run(`NOTIFY one, 'again'`)
  await until(() => it.heard.length === 1)
  expect(it.errors).toHaveLength(1)
})

test('a server that is away at the start and comes back is listened to', async () => {
  await using it = await setup()
  await server.stop('fast')
  await it.notifications.start()
  await until(() => it.errors.length >= 2)
  await server.start()
  await it.listening()
})

test('a connection that has gone silent is found out and replaced', async () => {
  await using it = await setup({ askEveryMs: 50, answerMs: 200 })
  await it.notifications.start()
  const pid = await it.listening()
  process.kill(pid, 'SIGSTOP')
  try {
    await it.listening(pid)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})

test('a stop ends the connection, or the attempt to make one, and is safe before the start', async () => {
  await using it = await setup()
  await it.notifications.start()
  await it.listening()
  await it.notifications.stop()
  await until(async () => (await it.listeners()).length === 0)
  expect(it.errors).toEqual([])
  await using other = await setup()
  await other.notifications.stop()
  await expect(other.notifications.start()).rejects.toThrow('was stopped')
})
