/** What callers send is read once it is known who they are, and what they do not send on is not held for ever. */
import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import type { Authenticate } from '../auth/mod.ts'
import { type EchoServer, serveEcho } from './echo-fixture.ts'
import { openRaw, type RawHeaders, rawHeadersOf } from './raw-http2-fixture.ts'
import { Refusal } from './refusal.ts'
import { unary } from './unary.ts'

const MIB = 1024 * 1024
const UNAUTHENTICATED = '16'
const RESOURCE_EXHAUSTED = '8'

/** Believes whoever says a name, now or after a while. */
function named(afterwards: boolean): Authenticate {
  const actor = (user: string) => ({ user, roles: ['admin' as const], namespaces: 'all' as const })
  return (metadata) => {
    const [user] = metadata.get('name')
    const answer = () => {
      if (user !== undefined) return actor(String(user))
      throw new Refusal({ reason: 'TOKEN_MISSING', message: 'say a name' })
    }
    return afterwards ? new Promise(setImmediate).then(answer) : answer()
  }
}

async function open({ server }: EchoServer) {
  const session = connect(`http://${server.address}`).on('error', () => {})
  await once(session, 'connect')
  return session
}

function call(
  session: ClientHttp2Session,
  headers: Record<string, string> = {},
  path = '/offstage.test.Echo/One',
) {
  const fixed = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc' }
  const stream = session.request({ ...fixed, te: 'trailers', ...headers }).on('error', () => {})
  const statuses: unknown[] = []
  const note = (answered: Record<string, unknown>) => {
    if (answered['grpc-status'] !== undefined) statuses.push(answered['grpc-status'])
  }
  stream.on('response', note).on('trailers', note).resume()
  return { stream, statuses }
}

function framed(message: Buffer, compressed = false): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(compressed ? 1 : 0, 0)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** The beginning of a message of 15 MiB. */
function half(bytes: number): Buffer {
  return framed(Buffer.alloc(15 * MIB)).subarray(0, bytes)
}

const bytesOf = (message: Buffer) => Array.from(message, (byte) => Buffer.from([byte]))

function rawHeaders(name: string): RawHeaders {
  return rawHeadersOf(`/offstage.test.Echo/${name}`, ['name', 'ann'])
}

const isOver = ({ closed }: ClientHttp2Stream) => closed

test.each([false, true])(
  'a caller who is not known is refused before anything but the headers was sent (known later: %s)',
  async (afterwards) => {
    await using echo = await serveEcho({}, { authenticate: named(afterwards) })
    const session = await open(echo)
    const { stream, statuses } = call(session)
    await until(() => statuses.length > 0, { what: 'the refusal' })
    expect(statuses).toEqual([UNAUTHENTICATED])
    await until(() => isOver(stream), { what: 'the end of the stream' })
    const known = call(session, { name: 'ann' })
    known.stream.end(framed(Buffer.from('{"text":"a"}')))
    await until(() => known.statuses.length > 0, { what: 'the answer' })
    expect(known.statuses).toEqual(['0'])
    session.destroy()
  },
)

test.each(['/offstage.test.Echo/One', '/grpc.health.v1.Health/Check'])(
  'what %s is sent compressed by nobody known does not become large',
  async (path) => {
    await using echo = await serveEcho({}, { authenticate: named(false) })
    const session = await open(echo)
    const bomb = framed(gzipSync(Buffer.alloc(15 * MIB)), true)
    const largest = { bytes: 0 }
    const watch = setInterval(() => {
      largest.bytes = Math.max(largest.bytes, process.memoryUsage().external)
    }, 5)
    const before = process.memoryUsage().external
    const calls = Array.from({ length: 100 }, () =>
      call(session, { 'grpc-encoding': 'gzip' }, path),
    )
    for (const { stream } of calls) stream.end(bomb)
    // Who is refused so often loses the connection.
    await until(() => calls.every(({ stream }) => isOver(stream)), { timeoutMs: 30_000 })
    clearInterval(watch)
    expect(calls.some(({ statuses }) => statuses[0] === '0')).toBe(false)
    expect(largest.bytes - before).toBeLessThan(20 * 15 * MIB)
    session.destroy()
  },
  60_000,
)

test('compressed messages of a known caller are inflated a few at a time', async () => {
  const seen: number[] = []
  const one = unary('identified', ({ text }: { text: string }) => {
    seen.push(text.length)
    return { text: '' }
  })
  await using echo = await serveEcho({ one }, { authenticate: named(false) })
  const session = await open(echo)
  const text = 'x'.repeat(8 * MIB)
  const bomb = framed(gzipSync(JSON.stringify({ text })), true)
  const headers = { name: 'ann', 'grpc-encoding': 'gzip' }
  const calls = Array.from({ length: 12 }, () => call(session, headers))
  for (const { stream } of calls) stream.end(bomb)
  await until(() => calls.every(({ statuses }) => statuses.length > 0), { timeoutMs: 30_000 })
  expect(calls.map(({ statuses }) => statuses[0])).toEqual(calls.map(() => '0'))
  expect(seen).toEqual(calls.map(() => text.length))
  session.destroy()
}, 60_000)

test.each(['One', 'Up'])(
  'a message of %s that does not get on is refused and its stream reset, and one in time is taken',
  async (name) => {
    const limits = { slowReaderMs: 400 }
    await using echo = await serveEcho({}, { authenticate: named(false), limits })
    const session = await open(echo)
    const stuck = call(session, { name: 'mallory' }, `/offstage.test.Echo/${name}`)
    stuck.stream.write(half(1_000))
    const known = call(session, { name: 'ann' }, `/offstage.test.Echo/${name}`)
    known.stream.write(framed(Buffer.from('{"text":"a"}')))
    known.stream.end()
    await until(() => stuck.statuses.length > 0, { what: 'the refusal' })
    expect(stuck.statuses).toEqual([RESOURCE_EXHAUSTED])
    await until(() => isOver(stuck.stream), { what: 'the end of the stream' })
    expect(known.statuses).toEqual(['0'])
    session.destroy()
  },
)

test('a stream whose messages are whole may wait between them as long as it likes', async () => {
  const limits = { slowReaderMs: 300 }
  await using echo = await serveEcho({}, { authenticate: named(false), limits })
  const session = await open(echo)
  const quiet = call(session, { name: 'ann' }, '/offstage.test.Echo/Up')
  quiet.stream.write(framed(Buffer.from('{"text":"a"}')))
  const stuck = [1, 2, 3].map(() => call(session, { name: 'mallory' }))
  await until(() => stuck.every(({ statuses }) => statuses.length > 0), { what: 'refusals' })
  quiet.stream.end(framed(Buffer.from('{"text":"b"}')))
  await until(() => quiet.statuses.length > 0, { what: 'the answer' })
  expect(quiet.statuses).toEqual(['0'])
  session.destroy()
})

test.each(['One', 'Up', 'Both'])(
  'a message of %s that comes byte by byte is cut off, and who goes on so loses the connection',
  async (name) => {
    await using echo = await serveEcho({}, { authenticate: named(false) })
    using client = await openRaw(echo.server.address)
    const headers = rawHeaders(name)
    const bytes = bytesOf(half(2_000))
    const first = client.headers(headers)
    client.data(first, ...bytes)
    await until(() => client.resets.has(first), { what: 'the reset' })
    expect(client.resets.get(first)).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    expect(client.closed).toBe(false)
    for (let i = 0; i < 2; i += 1) client.data(client.headers(headers), ...bytes)
    await until(() => client.closed, { what: 'the end of the connection' })
  },
)

test('of strangers who send byte by byte the first call is cut off after few, and none after it is begun', async () => {
  await using echo = await serveEcho({}, { authenticate: named(false) })
  using client = await openRaw(echo.server.address)
  const begin = () => client.headers(rawHeadersOf('/grpc.health.v1.Health/Check'))
  const first = begin()
  client.data(first, ...bytesOf(half(100)))
  // Whole ones, all there to be read before the connection can be closed.
  const more = Array.from({ length: 50 }, () => {
    const stream = begin()
    client.data(stream, framed(Buffer.alloc(0)))
    client.end(stream)
    return stream
  })
  await until(() => client.closed, { what: 'the end of the connection' })
  expect(client.resets.get(first)).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  expect(more.filter((stream) => client.answered.has(stream))).toEqual([])
})

test('a message in many pieces that are large enough is taken', async () => {
  await using echo = await serveEcho({}, { authenticate: named(false) })
  using client = await openRaw(echo.server.address)
  const stream = client.headers(rawHeaders('Up'))
  const message = framed(Buffer.from(JSON.stringify({ text: 'x'.repeat(60_000) })))
  const piecesOf = (bytes: number) =>
    Array.from({ length: Math.ceil(message.length / bytes) }, (_, i) =>
      message.subarray(i * bytes, (i + 1) * bytes),
    )
  // In all of what may be sent without being told to go on.
  client.data(stream, ...piecesOf(64))
  client.data(stream, ...Array.from({ length: 300 }, () => framed(Buffer.from('{}'))))
  const done = client.headers(rawHeaders('One'))
  client.data(done, ...bytesOf(framed(Buffer.from('{"text":"a"}'))))
  client.end(done)
  await until(() => client.answered.has(done), { what: 'the answer' })
  expect([client.resets.size, client.closed]).toEqual([0, false])
})

test('where memory is short messages that are not whole soon are let go', async () => {
  let part = 0
  const memoryInUse = () => part
  await using echo = await serveEcho({}, { authenticate: named(false), memoryInUse })
  const session = await open(echo)
  const calls = Array.from({ length: 20 }, () => call(session, { name: 'mallory' }))
  for (const { stream } of calls) stream.write(half(MIB))
  await until(() => session.state.outboundQueueSize === 0)
  expect(calls.flatMap(({ statuses }) => statuses)).toEqual([])
  part = 0.9
  await until(() => calls.every(({ stream }) => isOver(stream)), { what: 'the end of them' })
  session.destroy()
})

test('health answers nobody known, but takes no large message', async () => {
  await using echo = await serveEcho({}, { authenticate: named(false) })
  const session = await open(echo)
  const path = '/grpc.health.v1.Health/Check'
  const small = call(session, {}, path)
  small.stream.end(framed(Buffer.alloc(0)))
  const large = call(session, {}, path)
  large.stream.write(half(MIB))
  await until(() => large.statuses.length > 0 && small.statuses.length > 0)
  expect([small.statuses, large.statuses]).toEqual([['0'], [RESOURCE_EXHAUSTED]])
  session.destroy()
})
