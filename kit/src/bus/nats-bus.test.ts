import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { freePort, startNats, type TestNats } from '@offstage/testkit'
import { describe, expect, test } from 'vitest'
import { connectNats } from './nats-bus.ts'
import { NatsVersionError } from './nats-connection.ts'

async function connectTo(nats: { url: string }) {
  const errors: unknown[] = []
  const changes: string[] = []
  const texts: string[] = []
  const bus = await connectNats({ url: nats.url, onError: (error) => errors.push(error) })
  bus.onStatusChange((status) => changes.push(status))
  const listen = (subject: string) =>
    bus.subscribe(subject, ({ payload }) => texts.push(new TextDecoder().decode(payload)))
  return {
    bus,
    errors,
    changes,
    texts,
    listen,
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  }
}

/** A scripted bad peer: greets as an old or a silent server would. */
async function fakeServer(options: { version: string; answersPings?: number; port?: number }) {
  let pings = options.answersPings ?? Number.POSITIVE_INFINITY
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    const info = {
      server_id: 'FAKE',
      version: options.version,
      headers: true,
      max_payload: 2 ** 20,
    }
    socket.write(`INFO ${JSON.stringify(info)}\r\n`)
    socket.on('error', () => {})
    socket.on('data', (text) => {
      for (const _ of text.toString('latin1').matchAll(/^PING\r\n/gm)) {
        if (pings > 0) socket.write('PONG\r\n')
        pings -= 1
      }
    })
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const outages: readonly (readonly [string, (nats: TestNats) => Promise<void>])[] = [
  ['is stopped', (nats) => nats.stop()],
  ['is killed', (nats) => nats.stop('SIGKILL')],
]

describe.each(outages)('when the server %s and comes back', (_, outage) => {
  test('subscriptions survive, and the changes of status are told', async () => {
    await using nats = await startNats()
    await using it = await connectTo(nats)
    it.listen('jobs.*')
    it.bus.publish('jobs.1', 'before')
    await expect.poll(() => it.texts).toEqual(['before'])

    await outage(nats)
    await expect.poll(() => it.changes).toEqual(['disconnected'])
    it.listen('values.*')
    await nats.start()
    await expect.poll(() => it.changes, { timeout: 10_000 }).toEqual(['disconnected', 'connected'])

    it.bus.publish('jobs.2', 'after')
    it.bus.publish('values.1', 'subscribed meanwhile')
    await expect.poll(() => it.texts).toEqual(['before', 'after', 'subscribed meanwhile'])
  })
})

test('what is published while disconnected is dropped and counted, never sent later', async () => {
  await using nats = await startNats()
  await using it = await connectTo(nats)
  it.listen('jobs')
  await nats.stop()
  await expect.poll(() => it.bus.status).toBe('disconnected')
  it.bus.publish('jobs', 'lost')
  it.bus.publish('jobs', 'lost')
  await it.bus.flush()
  expect(it.bus.stats()).toEqual({ published: 0, dropped: 2, received: 0 })
  await nats.start()
  await expect.poll(() => it.bus.status, { timeout: 10_000 }).toBe('connected')
  it.bus.publish('jobs', 'sent')
  await expect.poll(() => it.texts).toEqual(['sent'])
})

test('a server that is not there at first is connected to when it comes', async () => {
  const port = await freePort()
  await using it = await connectTo({ url: `nats://127.0.0.1:${port}` })
  expect(it.bus.status).toBe('disconnected')
  expect(it.errors).toHaveLength(1)
  it.listen('jobs')
  await using _nats = await startNats({ port })
  await expect.poll(() => it.changes, { timeout: 10_000 }).toEqual(['connected'])
  it.bus.publish('jobs', 'x')
  await expect.poll(() => it.texts).toEqual(['x'])
})

test('connections of different processes see each other after a flush', async () => {
  await using nats = await startNats()
  await using one = await connectTo(nats)
  await using two = await connectTo(nats)
  two.listen('jobs')
  await two.bus.flush()
  one.bus.publish('jobs', 'hello')
  await expect.poll(() => two.texts).toEqual(['hello'])
})

describe('a server older than 2.9', () => {
  test('is refused at connect, with its version named', async () => {
    await using old = await fakeServer({ version: '2.8.4' })
    const refused = connectNats({ url: old.url })
    await expect(refused).rejects.toBeInstanceOf(NatsVersionError)
    await expect(refused).rejects.toThrow(/version 2\.8\.4, but 2\.9 or later is needed/)
  })

  test('that comes later is reported and not used, until a newer one takes its place', async () => {
    const port = await freePort()
    await using it = await connectTo({ url: `nats://127.0.0.1:${port}` })
    {
      await using _old = await fakeServer({ version: '2.8.4', port })
      await expect
        .poll(() => it.errors.some((error) => error instanceof NatsVersionError), {
          timeout: 10_000,
        })
        .toBe(true)
      expect(it.bus.status).toBe('disconnected')
    }
    await using _nats = await startNats({ port })
    await expect.poll(() => it.bus.status, { timeout: 20_000 }).toBe('connected')
  })

  test('that takes the place of a newer one is reported and not used', async () => {
    const nats = await startNats()
    await using it = await connectTo(nats)
    await nats[Symbol.asyncDispose]()
    await using _old = await fakeServer({ version: '2.8.4', port: nats.port })
    await expect
      .poll(() => it.errors.some((error) => error instanceof NatsVersionError), { timeout: 10_000 })
      .toBe(true)
    expect(it.bus.status).toBe('disconnected')
    expect(it.changes).toEqual(['disconnected'])
  })
})

test('a server that stops reading makes further messages drop, not pile up', async () => {
  // One ping while connecting and one for the subscriptions; then silence.
  await using silent = await fakeServer({ version: '2.10.0', answersPings: 2 })
  await using it = await connectTo(silent)
  expect(it.bus.status).toBe('connected')
  const payload = new Uint8Array(1024 * 1024)
  for (let n = 0; n < 20; n += 1) it.bus.publish('jobs', payload)
  expect(it.bus.stats()).toMatchObject({ published: 8, dropped: 12 })
})

test('so do hints that are no more than their subjects', async () => {
  await using silent = await fakeServer({ version: '2.10.0', answersPings: 2 })
  await using it = await connectTo(silent)
  const subject = `jobs.${'x'.repeat(1_000)}`
  for (let n = 0; n < 10_000; n += 1) it.bus.publish(subject, '')
  const { published, dropped } = it.bus.stats()
  expect(published + dropped).toBe(10_000)
  expect(published * subject.length).toBeLessThan(8 * 1024 * 1024)
})

test('a server that falls silent after its greeting keeps neither connect nor dispose waiting', async () => {
  await using silent = await fakeServer({ version: '2.10.0', answersPings: 1 })
  const bus = await connectNats({ url: silent.url, connectTimeoutMs: 300 })
  expect(bus.status).toBe('disconnected')
  await bus[Symbol.asyncDispose]()
})

test('credentials out of the url are presented, and wrong ones are refused at connect', async () => {
  await using nats = await startNats({ user: 'offstage', password: 'p@ss' })
  const address = `127.0.0.1:${nats.port}`
  await using it = await connectTo({ url: `nats://offstage:p%40ss@${address}` })
  expect(it.bus.status).toBe('connected')
  const wrong = connectNats({ url: `nats://offstage:guess@${address}` })
  await expect(wrong).rejects.toThrow(/authorization/i)
})

test('disposing of a bus whose server never came ends its attempts', async () => {
  const port = await freePort()
  const it = await connectTo({ url: `nats://127.0.0.1:${port}` })
  await it.bus[Symbol.asyncDispose]()
  await using _nats = await startNats({ port })
  expect(it.bus.status).toBe('closed')
})
