import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { StorageServiceService } from '@offstage/proto/storage'
import { createAuthority, createPemFolder, until } from '@offstage/testkit'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openRelay } from './open-relay.ts'
import { CALLS_MAX, CONNECTIONS_MAX, newFolder, placesIn, Relay } from './relay.ts'

/** Where sockets of the system have names of 104 bytes, and temporary folders such ones. */
const SOCKET_BYTES_MAX = 103
const TEMPORARY_FOLDER = '/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T'
const NOBODY = '127.0.0.1:1'
const { path } = StorageServiceService.describeValue

const asItIs = (message: Buffer) => message
const pathOf = (place: string) => place.slice('unix:'.length)
const folderOf = (place: string) => dirname(pathOf(place))

async function startRelay(storage: string) {
  const folder = newFolder()
  const relay = new Relay({ scheduler: NOBODY, storage, tls: undefined, folder })
  await relay.start()
  onTestFinished(() => relay.stop())
  return placesIn(folder)
}

function clientOf(place: string): Client {
  const client = new Client(place, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  })
  onTestFinished(() => client.close())
  return client
}

function ask(client: Client, bytes = 10): Promise<ServiceError | null> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asItIs, asItIs, Buffer.alloc(bytes), (error) => resolve(error))
  })
}

/** Takes calls of one method, and answers none before it is told to. */
async function startService() {
  const waiting: (() => void)[] = []
  const server = new Server()
  const shape = { path, requestStream: false, responseStream: false } as const
  const coded = {
    ...{ requestSerialize: asItIs, requestDeserialize: asItIs },
    ...{ responseSerialize: asItIs, responseDeserialize: asItIs },
  }
  server.addService(
    { ask: { ...shape, ...coded } },
    {
      ask: (_call: unknown, answer: (error: null, message: Buffer) => void) =>
        void waiting.push(() => answer(null, Buffer.alloc(1))),
    },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  onTestFinished(() => server.forceShutdown())
  return { address: `127.0.0.1:${port}`, waiting }
}

test('a message that no service would take is not taken into the memory of the executor', async () => {
  const client = clientOf((await startRelay(NOBODY)).storage)
  // It goes on, to nobody.
  expect(await ask(client, 1_000)).toMatchObject({ code: status.UNAVAILABLE })
  expect(await ask(client, 17 * 2 ** 20)).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
})

test('of the calls of one connection so many are under way at a time, and the others have their turn', async () => {
  const service = await startService()
  const client = clientOf((await startRelay(service.address)).storage)
  const calls = Array.from({ length: CALLS_MAX + 50 }, () => ask(client))
  await until(() => service.waiting.length === CALLS_MAX, { timeoutMs: 30_000 })
  service.waiting[0]?.()
  // The one that was kept back longest, and no other.
  await until(() => service.waiting.length > CALLS_MAX)
  expect(service.waiting).toHaveLength(CALLS_MAX + 1)
  for (let answered = 1; answered < calls.length; answered += 1) {
    await until(() => service.waiting.length > answered)
    service.waiting[answered]?.()
  }
  expect(new Set(await Promise.all(calls))).toEqual(new Set([null]))
})

test('more connections than clients have are not taken, and those that speak no HTTP are let go', async () => {
  const { storage } = await startRelay(NOBODY)
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  const dial = (hello?: string) => {
    const socket = connect(pathOf(storage)).resume()
    sockets.push(socket.on('error', () => {}))
    if (hello !== undefined) socket.write(hello)
    return socket
  }
  for (let n = 0; n < CONNECTIONS_MAX + 5; n += 1) dial()
  await until(() => sockets.filter(({ closed }) => closed).length === 5)
  for (const socket of sockets) socket.destroy()
  const garbage = dial('GET / HTTP/1.0\r\n\r\n'.repeat(100))
  await until(() => garbage.closed)
  expect(await ask(clientOf(storage))).toMatchObject({ code: status.UNAVAILABLE })
})

/** A program that calls at a place, and prints the code of the answer. */
const CALLER = `
  const { Client, credentials } = require('@grpc/grpc-js')
  const [, place, path] = process.argv
  const asItIs = (message) => message
  const client = new Client(place, credentials.createInsecure())
  const deadline = Date.now() + 30_000
  client.makeUnaryRequest(path, asItIs, asItIs, Buffer.alloc(0), { waitForReady: true, deadline }, (error) => {
    console.log(error.code)
    client.close()
  })
`

/** With certificates of its own, as an executor opens it. */
async function open(storage = NOBODY) {
  const authority = await createAuthority()
  const folder = await createPemFolder()
  const { ca } = await folder.write({ ca: authority.cert })
  const { cert, key } = await folder.write({ ...(await authority.issue()) })
  const lost: Error[] = []
  const relay = openRelay({
    ...{ scheduler: NOBODY, storage, tls: { ca, cert, key } },
    onLost: (error) => void lost.push(error),
  })
  onTestFinished(async () => {
    await relay.close()
    await folder[Symbol.asyncDispose]()
  })
  return { relay, lost }
}

test('the executor is not who hears what comes: calls are answered while it does nothing at all', async () => {
  const { relay, lost } = await open()
  const { places } = relay
  const told = execFileSync(process.execPath, ['-e', CALLER, places.storage, path], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  expect(Number(told)).toBe(status.UNAVAILABLE)
  expect(await relay.memoryBytes()).toBeGreaterThan(0)
  await relay.close()
  await relay.close()
  expect(await relay.memoryBytes()).toBeUndefined()
  expect(existsSync(folderOf(places.storage))).toBe(false)
  expect(lost).toEqual([])
})

test('what is sent and never ends counts as memory', async () => {
  // Calls wait for it.
  const silent = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void silent.close())
  await once(silent, 'listening')
  const { relay } = await open(`127.0.0.1:${(silent.address() as AddressInfo).port}`)
  const socket = pathOf(relay.places.storage)
  await until(() => existsSync(socket))
  const flood = execFile(process.execPath, ['-e', FLOOD, socket, path])
  onTestFinished(() => void flood.kill('SIGKILL'))
  const heldMib = async () => ((await relay.memoryBytes()) ?? 0) / 2 ** 20
  await until(async () => (await heldMib()) > 150, { timeoutMs: 30_000 })
})

/** Sends messages of 15 MiB, each but for its last byte. */
const FLOOD = `
  const http2 = require('node:http2')
  const [, socket, path] = process.argv
  const session = http2.connect('http://localhost', { createConnection: () => require('node:net').connect(socket) })
  const bytes = 15 * 2 ** 20
  const head = Buffer.alloc(5)
  head.writeUInt32BE(bytes, 1)
  const body = Buffer.alloc(bytes - 1)
  for (let n = 0; n < 40; n += 1) {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' })
    stream.on('error', () => {})
    stream.write(head)
    stream.write(body)
  }
`

test('its sockets have names that every system takes', () => {
  vi.stubEnv('TMPDIR', TEMPORARY_FOLDER)
  const places = placesIn(newFolder())
  vi.unstubAllEnvs()
  for (const place of Object.values(places)) {
    expect(Buffer.byteLength(pathOf(place))).toBeLessThanOrEqual(SOCKET_BYTES_MAX)
  }
})
