import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import {
  type Client,
  type ClientUnaryCall,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { protoPath } from 'grpc-health-check'
import { expect, test } from 'vitest'
import type { Authenticate } from '../auth/mod.ts'
import { createLogger } from '../telemetry/mod.ts'
import type { Implementation } from './bind-services.ts'
import type { CallContext } from './call-context.ts'
import { type Echo, echoDefinition, serveEcho } from './echo-fixture.ts'
import { createGrpcServer, type GrpcServerOptions } from './server.ts'
import { serverStream } from './server-stream.ts'
import { unary } from './unary.ts'

const log = createLogger({ name: 'test', level: 'silent' })
const base = { name: 'test', host: '127.0.0.1', port: 0, log, services: [] }

function serve(options: Partial<GrpcServerOptions>) {
  return createGrpcServer({ ...base, ...options })
}

type HealthClient = Client & {
  check(
    request: object,
    done: (error: ServiceError | null, answer: object) => void,
  ): ClientUnaryCall
  watch(request: object): AsyncIterable<object>
}

function healthClient(address: string): HealthClient & Disposable {
  const options = { keepCase: true, enums: String, defaults: true }
  const { grpc } = loadPackageDefinition(loadSync(protoPath, options)) as GrpcObject
  const { Health } = ((grpc as GrpcObject).health as GrpcObject).v1 as GrpcObject
  const client = new (Health as ServiceClientConstructor)(address, credentials.createInsecure())
  const disposable = { [Symbol.dispose]: () => client.close() }
  return Object.assign(client as unknown as HealthClient, disposable)
}

function check(client: HealthClient, service: string): Promise<object> {
  return new Promise((resolve, reject) =>
    client.check({ service }, (error, answer) => (error ? reject(error) : resolve(answer))),
  )
}

function callOne(client: Client, text: string, metadata = new Metadata()): Promise<Echo> {
  const { path, requestSerialize, responseDeserialize } = echoDefinition.one
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { text },
      metadata,
      (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
    ),
  )
}

test('health answers for the server and for each of its services', async () => {
  await using echo = await serveEcho()
  using client = healthClient(echo.server.address)
  expect(await check(client, '')).toEqual({ status: 'SERVING' })
  expect(await check(client, 'offstage.test.Echo')).toEqual({ status: 'SERVING' })
  await expect(check(client, 'offstage.test.Other')).rejects.toThrow('NOT_FOUND')
  echo.server.setServing(false)
  expect(await check(client, '')).toEqual({ status: 'NOT_SERVING' })
})

test('those who watch health see the stop and do not hold it up', async () => {
  await using echo = await serveEcho({}, { stopGraceMs: 3_600_000 })
  using client = healthClient(echo.server.address)
  const watch = client.watch({ service: '' })[Symbol.asyncIterator]()
  expect((await watch.next()).value).toEqual({ status: 'SERVING' })
  const stopped = echo.server.stop()
  expect((await watch.next()).value).toEqual({ status: 'NOT_SERVING' })
  await expect(watch.next()).rejects.toThrow('UNAVAILABLE')
  await stopped
})

test('a call under way is answered although the server is stopping', async () => {
  const begun = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<Echo>()
  const one = unary('identified', (_request: Echo) => {
    begun.resolve()
    return answer.promise
  })
  await using echo = await serveEcho({ one }, { stopGraceMs: 3_600_000 })
  const call = callOne(echo.client, 'a')
  await begun.promise
  const stopped = echo.server.stop()
  answer.resolve({ text: 'in time' })
  expect(await call).toEqual({ text: 'in time' })
  await stopped
})

test('a stopped server leaves its port to others', async () => {
  const first = serve({})
  await first.start()
  await first.stop()
  await using second = serve({ port: first.port })
  await second.start()
  expect(second.address).toBe(first.address)
})

test('a server that was never started stops at once', async () => {
  await serve({}).stop()
})

test('a connection that sends nothing does not hold up the stop', async () => {
  const server = serve({ stopGraceMs: 200 })
  await server.start()
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {}).resume()
  await Promise.all([server.stop(), once(socket, 'close')])
})

test('a port in use is an error that names the address', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as { port: number }
  const address = `127.0.0.1:${port}`
  const expected = `cannot listen on ${address}: another process uses the port`
  await expect(serve({ port }).start()).rejects.toThrow(expected)
  holder.close()
})

test('an address of another machine is an error that says so', async () => {
  const authenticate: Authenticate = () => ({ user: 'ann', roles: ['user'], namespaces: [] })
  const server = serve({ host: '192.0.2.1', authenticate })
  await expect(server.start()).rejects.toThrow('192.0.2.1:0: the host is not an address of this')
})

test.each(['0.0.0.0', '::', '192.0.2.1', 'example.org', '127.evil.example'])(
  'a server on %s without authentication is refused',
  (host) => {
    expect(() => serve({ host })).toThrow(`refusing to serve on ${host} without authentication`)
  },
)

test.each(['127.0.0.1', 'localhost'])('on %s everybody is a developer', async (host) => {
  const actors: CallContext['actor'][] = []
  const one = unary('identified', (request: Echo, context) => {
    actors.push(context.actor)
    return request
  })
  await using echo = await serveEcho({ one }, { host })
  await callOne(echo.client, 'a')
  const metadata = new Metadata()
  metadata.set('offstage-user', 'ann')
  await callOne(echo.client, 'b', metadata)
  expect(actors).toEqual([
    { user: 'dev', roles: ['admin'], namespaces: 'all' },
    { user: 'ann', roles: ['admin'], namespaces: 'all' },
  ])
})

test('a token that development mode does not read is told of once in the log, and to clients with health', async () => {
  const lines: { level: string; msg: string }[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const log = createLogger({ name: 'test', destination })
  await using echo = await serveEcho({}, { log })
  await callOne(echo.client, 'a')
  const metadata = new Metadata()
  metadata.set('authorization', 'Bearer abc')
  await callOne(echo.client, 'b', metadata)
  await callOne(echo.client, 'c', metadata)
  const warnings = lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg)
  expect(warnings).toEqual([expect.stringContaining('a token, which development mode does not')])

  using client = healthClient(echo.server.address)
  const headers = Promise.withResolvers<Metadata>()
  client.check({ service: '' }, () => {}).on('metadata', headers.resolve)
  expect((await headers.promise).get('offstage-authentication')).toEqual(['development'])
})

test('a handler learns the deadline, the metadata and the peer of its call', async () => {
  const seen: CallContext[] = []
  const one = unary('identified', (request: Echo, context) => {
    seen.push(context)
    return request
  })
  await using echo = await serveEcho({ one })
  const metadata = new Metadata()
  metadata.set('x-note', 'hello')
  await callOne(echo.client, 'a', metadata)
  expect(seen[0]?.deadline).toBeUndefined()
  expect(seen[0]?.metadata.get('x-note')).toEqual(['hello'])
  expect(seen[0]?.peer).toMatch(/^127\.0\.0\.1:\d+$/)
  const answered = Promise.withResolvers<void>()
  const deadline = Date.now() + 60_000
  echo.client.one({ text: 'b' }, metadata, { deadline }, () => answered.resolve())
  await answered.promise
  expect(Math.abs(Number(seen[1]?.deadline) - deadline)).toBeLessThan(30_000)
})

test('the signal of a call that ended well never aborts', async () => {
  const signals: AbortSignal[] = []
  const one = unary('identified', (request: Echo, context) => {
    signals.push(context.signal)
    return request
  })
  await using echo = await serveEcho({ one })
  await callOne(echo.client, 'a')
  await callOne(echo.client, 'b')
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
})

test('a handler is not asked for more than the client takes', async () => {
  let made = 0
  const down = serverStream<Echo, Echo>('identified', async function* () {
    for (; made < 10_000; made += 1) yield { text: 'x'.repeat(64 * 1024) }
  })
  await using echo = await serveEcho({ down })
  const stream = echo.client.down({ text: '' }, new Metadata(), {})
  const iterator = stream[Symbol.asyncIterator]()
  await iterator.next()
  await callOne(echo.client, 'the server is still responsive')
  expect(made).toBeLessThan(1_000)
  await iterator.return?.()
})

test('an implementation with a handler missing, unbound or of another shape is refused', () => {
  const serveWith = (implementation: Implementation) => () =>
    serve({ services: [{ definition: { one: echoDefinition.one }, implementation }] })
  expect(serveWith({})).toThrow('/offstage.test.Echo/One has no handler made by unary()')
  // @ts-expect-error a handler that says no right does not compile
  expect(serveWith({ one: () => {} })).toThrow('has no handler made by unary()')
  const stream = serverStream<Echo, Echo>('identified', async function* () {})
  expect(serveWith({ one: stream })).toThrow('is served by serverStream() and needs unary()')
})

test('a handler called without a server throws instead of skipping admission', () => {
  const handler = unary('identified', (request: Echo) => request)
  expect(() => handler({} as never, () => {})).toThrow('must be served by createGrpcServer')
})

test('a connection past its age is replaced while the calls on it go on', async () => {
  const one = unary('identified', (_request: Echo, { peer }) => ({ text: peer }))
  await using echo = await serveEcho({ one }, { limits: { connectionAgeMs: 50 } })
  const stream = echo.client.both(new Metadata(), {})
  stream.write({ text: 'before' })
  const answers = stream[Symbol.asyncIterator]()
  expect((await answers.next()).value).toEqual({ text: 'before' })
  const { text: first } = await callOne(echo.client, '')
  await expect.poll(() => callOne(echo.client, '')).not.toEqual({ text: first })
  stream.write({ text: 'after' })
  expect((await answers.next()).value).toEqual({ text: 'after' })
  stream.end()
  expect((await answers.next()).done).toBe(true)
})
