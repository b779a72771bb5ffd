/** Whoever is only refused is let go of, and costs those who are known little. */
import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { until } from '@offstage/testkit'
import { errors } from 'jose'
import { expect, test } from 'vitest'
import type { Authenticate } from '../auth/mod.ts'
import { refusalFromJose } from '../auth/tokens/token-refusals.ts'
import { serveEcho } from './echo-fixture.ts'
import { Refusal } from './refusal.ts'
import type { GrpcServerOptions } from './server.ts'

const UNAUTHENTICATED = '16'
const ELSEWHERE = '127.0.0.2'
const HERE = '127.0.0.1'

const forgery = () => refusalFromJose(new errors.JWSSignatureVerificationFailed())

/** Takes whoever says a name, after a while; of the others it is noted how many were looked at. */
function named() {
  const looked = { at: 0 }
  const authenticate: Authenticate = async (metadata) => {
    const [user] = metadata.get('name')
    await new Promise(setImmediate)
    if (user !== undefined) return { user: String(user), roles: ['admin'], namespaces: 'all' }
    looked.at += 1
    if (metadata.get('forged').length > 0) throw forgery()
    throw new Refusal({ reason: 'TOKEN_INVALID', message: 'say a name' })
  }
  return { looked, authenticate }
}

async function setup(options: Partial<GrpcServerOptions> = {}) {
  const { looked, authenticate } = named()
  const echo = await serveEcho({}, { authenticate, ...options })
  const port = Number(echo.server.address.split(':').at(-1))
  const sessions: ClientHttp2Session[] = []
  const countOf = (name: string) => {
    const metric = echo.server.measures.metrics.find((each) => each.name.includes(name))
    return Number(metric?.read())
  }
  return {
    looked,
    countOf,
    /** A connection from that address, and what became of its calls. */
    dial(localAddress: string) {
      const socket = connectTcp({ port, host: HERE, localAddress })
      const session = connectHttp2(`http://${HERE}`, { createConnection: () => socket })
      session.on('error', () => {})
      socket.on('error', () => {})
      sessions.push(session)
      const seen = {
        statuses: [] as unknown[],
        resets: [] as number[],
        goaways: [] as number[],
        closed: false,
      }
      session.on('goaway', (code) => {
        seen.goaways.push(code)
      })
      session.on('close', () => {
        seen.closed = true
      })
      const call = (name?: string, path = '/offstage.test.Echo/One', text = 'a', more = {}) => {
        if (session.destroyed || session.closed) return
        const stream = session.request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
          ...(name !== undefined && { name }),
          ...more,
        })
        const note = (headers: Record<string, unknown>) => {
          if (headers['grpc-status'] !== undefined) seen.statuses.push(headers['grpc-status'])
        }
        stream
          .on('response', note)
          .on('trailers', note)
          .on('error', () => {})
        stream.on('close', () => {
          if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) seen.resets.push(stream.rstCode)
        })
        stream.resume()
        stream.end(framed(JSON.stringify({ text })))
      }
      return { session, seen, call }
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy()
      await echo[Symbol.asyncDispose]()
    },
  }
}

function framed(text: string): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(text.length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}

test('a connection on which nobody is known is closed after twenty refusals, and what waited on it was not looked at', async () => {
  await using it = await setup()
  const { seen, call } = it.dial(HERE)
  for (let i = 0; i < 200; i += 1) call()
  await until(() => seen.closed, { what: 'the connection to be closed' })
  expect(seen.statuses).toEqual(Array.from({ length: 20 }, () => UNAUTHENTICATED))
  expect(it.looked.at).toBe(20)
  expect(seen.resets).toEqual(Array.from({ length: 180 }, () => constants.NGHTTP2_REFUSED_STREAM))
  expect(seen.goaways).toEqual([constants.NGHTTP2_ENHANCE_YOUR_CALM])
  expect([it.countOf('refused_calls'), it.countOf('closed_connections')]).toEqual([20, 1])
})

test('a connection on which nobody is known is closed after two forged tokens', async () => {
  await using it = await setup()
  const { seen, call } = it.dial(HERE)
  for (let i = 0; i < 50; i += 1) call(undefined, undefined, undefined, { forged: 'yes' })
  await until(() => seen.closed, { what: 'the connection to be closed' })
  expect([it.looked.at, seen.statuses]).toEqual([2, [UNAUTHENTICATED, UNAUTHENTICATED]])
  expect(seen.resets).toEqual(Array.from({ length: 48 }, () => constants.NGHTTP2_REFUSED_STREAM))
})

test('a connection on which somebody is known is theirs, whoever else calls on it', async () => {
  await using it = await setup()
  const { seen, call } = it.dial(HERE)
  for (let i = 0; i < 10; i += 1) call()
  call('ann')
  for (let i = 0; i < 200; i += 1) call()
  await until(() => seen.statuses.length === 211, { what: 'all answers' })
  expect(seen.statuses.filter((each) => each === '0')).toHaveLength(1)
  expect(seen.closed).toBe(false)
})

test('calls that wait while the first caller is looked at are all served once they are known', async () => {
  await using it = await setup()
  const { seen, call } = it.dial(HERE)
  for (let i = 0; i < 500; i += 1) call('ann')
  await until(() => seen.statuses.length === 500, { what: 'all answers' })
  expect(new Set(seen.statuses)).toEqual(new Set(['0']))
})

test.each(['/grpc.health.v1.Health/Check', '/no.such.Service/Call'])(
  'a connection on which nobody is known is closed after a thousand calls of %s as well',
  async (path) => {
    await using it = await setup()
    const { seen, call } = it.dial(HERE)
    for (let i = 0; i < 900; i += 1) call(undefined, path)
    await until(() => seen.statuses.length === 900, { what: 'all answers' })
    expect(seen.closed).toBe(false)
    for (let i = 0; i < 200; i += 1) call(undefined, path)
    await until(() => seen.closed, { what: 'the connection to be closed' })
  },
)

/** Comes back as soon as its connection is closed, on several at once. */
function flood(it: Awaited<ReturnType<typeof setup>>, address: string, atOnce: number) {
  const end = () => {
    state.over = true
  }
  const state = { over: false, [Symbol.dispose]: end }
  const come = () => {
    if (state.over) return
    const { session, call } = it.dial(address)
    session.once('connect', () => {
      for (let i = 0; i < 100; i += 1) call()
    })
    session.once('close', () => setImmediate(come))
  }
  for (let i = 0; i < atOnce; i += 1) come()
  return state
}

test('an address that keeps coming back is let in slowly, and others are served meanwhile', {
  timeout: 60_000,
}, async () => {
  await using it = await setup()
  for (let i = 0; i < 250; i += 1) it.dial(ELSEWHERE)
  using _strangers = flood(it, ELSEWHERE, 8)
  await until(() => it.countOf('held_connections') > 0, { timeoutMs: 30_000 })
  for (let served = 0; served < 100; served += 1) {
    const { session, seen, call } = it.dial(HERE)
    await once(session, 'connect')
    call('ann')
    await until(() => seen.statuses.length === 1, { what: 'the answer' })
    expect(seen.statuses).toEqual(['0'])
    session.destroy()
  }
})

test('an address is let in slowly once few of its connections were closed for refusals', async () => {
  await using it = await setup()
  const refused = Array.from({ length: 16 }, () => {
    const { seen, session, call } = it.dial(ELSEWHERE)
    session.once('connect', () => {
      for (let i = 0; i < 20; i += 1) call()
    })
    return seen
  })
  await until(() => refused.every(({ closed }) => closed), { what: 'the ends of all' })
  it.dial(ELSEWHERE)
  await until(() => it.countOf('held_connections') === 1, { what: 'one that waits' })
  const { session, seen, call } = it.dial(HERE)
  session.once('connect', () => call('ann'))
  await until(() => seen.statuses.length === 1, { what: 'the answer' })
})

test('known callers of an address that strangers come from as well get on', {
  timeout: 60_000,
}, async () => {
  await using it = await setup()
  const known = it.dial(HERE)
  known.call('ann')
  using _strangers = flood(it, HERE, 8)
  await until(() => it.countOf('closed_connections') > 20, { timeoutMs: 30_000 })
  for (let i = 0; i < 100; i += 1) known.call('ann')
  await until(() => known.seen.statuses.length === 101, { what: 'the answers' })
  const fresh = it.dial(HERE)
  fresh.session.once('connect', () => fresh.call('bob'))
  await until(() => fresh.seen.statuses.length === 1, { timeoutMs: 30_000, what: 'bob' })
  expect([...known.seen.statuses, ...fresh.seen.statuses].every((each) => each === '0')).toBe(true)
})

test('hundreds of clients of one address who come at once and are known wait for nothing', async () => {
  await using it = await setup()
  const clients = Array.from({ length: 600 }, () => it.dial(HERE))
  for (const { session, call } of clients) session.once('connect', () => call('ann'))
  await until(() => clients.every(({ seen }) => seen.statuses.length === 1), { timeoutMs: 30_000 })
  expect(it.countOf('rejected_connections')).toBe(0)
})

test('a server that has just closed a connection stops without waiting for its grace', async () => {
  for (let i = 0; i < 5; i += 1) {
    await using it = await setup({ stopGraceMs: 3_600_000 })
    const { seen, call, session } = it.dial(HERE)
    // Much that is not taken, so that the server's end is still there when this one is gone.
    for (let i = 0; i < 100; i += 1) call(undefined, undefined, 'x'.repeat(16_000))
    await until(() => seen.statuses.length + seen.resets.length === 100, { what: 'all ends' })
    session.destroy()
  }
})
