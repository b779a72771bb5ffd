/** Clients that behave badly cost others a little time, and no call. */
import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { setImmediate as immediate } from 'node:timers/promises'
import { Metadata } from '@grpc/grpc-js'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { type EchoServer, serveEcho } from './echo-fixture.ts'

/** What others may take longer; a service that works all off first takes thousands of times. One that hangs takes as long as the test may. */
const TIMES_MAX = 200
const CALLS = 40
/** Less is not told apart from nothing: some systems count in ticks. */
const WORK_MS_MIN = 1

/**
 * What is worked here during another caller's calls, one after the other; every one is answered. Not by the clock, which counts what
 * else the machine does.
 */
async function medianMs(echo: EchoServer): Promise<number> {
  const samples: number[] = []
  for (let i = 0; i < CALLS; i++) {
    const begin = process.threadCpuUsage()
    await callOnce(echo)
    const { user, system } = process.threadCpuUsage(begin)
    samples.push((user + system) / 1_000)
  }
  return Math.max(WORK_MS_MIN, samples.sort((a, b) => a - b)[CALLS / 2] ?? Number.NaN)
}

function callOnce({ client }: EchoServer): Promise<void> {
  return new Promise((resolve, reject) =>
    client.one({ text: 'a' }, new Metadata(), {}, (error) => (error ? reject(error) : resolve())),
  )
}

async function open(echo: EchoServer): Promise<ClientHttp2Session> {
  const options = { maxSendHeaderBlockLength: 1024 * 1024 }
  const session = connect(`http://${echo.server.address}`, options).on('error', () => {})
  await once(session, 'connect')
  return session
}

function call(session: ClientHttp2Session, method: string, headers: Record<string, string> = {}) {
  const path = `/offstage.test.Echo/${method}`
  const fixed = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc' }
  return session.request({ ...fixed, te: 'trailers', ...headers }).on('error', () => {})
}

test('streams that are opened and reset by the thousand', async () => {
  await using echo = await serveEcho()
  const quietMs = await medianMs(echo)
  let goesOn = true
  let resets = 0
  let cut = 0
  const flood = async () => {
    while (goesOn) {
      const session = await open(echo)
      session.once('goaway', () => {
        cut += 1
      })
      while (goesOn && !session.closed && !session.destroyed) {
        for (let i = 0; i < 50 && !session.closed && !session.destroyed; i++) {
          call(session, 'Down').close(constants.NGHTTP2_CANCEL)
          resets += 1
        }
        await immediate()
      }
      session.destroy()
    }
  }
  const floods = Array.from({ length: 3 }, flood)
  await until(() => resets > 3_000, { what: 'three thousand resets' })
  const floodedMs = await medianMs(echo)
  await until(() => cut > 0, { what: 'a connection that was cut for it' })
  goesOn = false
  await Promise.all(floods)
  expect(floodedMs / quietMs).toBeLessThan(TIMES_MAX)
  expect(echo.faults).toEqual([])
}, 60_000)

test('a thousand connections that do nothing are served beside, and are closed when they are idle', async () => {
  await using echo = await serveEcho({}, { limits: { connectionIdleMs: 3_000 } })
  const quietMs = await medianMs(echo)
  const idle: ClientHttp2Session[] = []
  let isOpen = false
  const opening = (async () => {
    for (let i = 0; i < 20; i++) {
      idle.push(...(await Promise.all(Array.from({ length: 50 }, () => open(echo)))))
    }
  })().finally(() => {
    isOpen = true
  })
  // Else the other caller's connection is idle too, and is not let in again: its address has spent what it may.
  while (!isOpen) await callOnce(echo)
  await opening
  expect((await medianMs(echo)) / quietMs).toBeLessThan(TIMES_MAX)
  const isOver = (session: ClientHttp2Session) => session.closed || session.destroyed
  await until(() => idle.every(isOver), { what: 'all are closed', timeoutMs: 30_000 })
}, 60_000)

test('requests that are begun and never ended', async () => {
  await using echo = await serveEcho()
  const quietMs = await medianMs(echo)
  const session = await open(echo)
  for (let i = 0; i < 500; i++) {
    const half = Buffer.alloc(6)
    half.writeUInt32BE(1_000, 1)
    call(session, i % 2 === 0 ? 'One' : 'Up').write(half)
  }
  expect((await medianMs(echo)) / quietMs).toBeLessThan(TIMES_MAX)
  session.destroy()
}, 60_000)

test('headers beyond 64 KiB, or more than 128 of them, cost who sends them their stream or connection', async () => {
  await using echo = await serveEcho()
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, 'x']))
  for (const headers of [{ 'x-large': 'x'.repeat(80 * 1024) }, many]) {
    const session = await open(echo)
    const stream = call(session, 'One', headers)
    stream.end()
    await until(() => stream.closed, { what: 'the end of the stream' })
    expect(stream.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR)
    session.destroy()
  }
  await medianMs(echo)
}, 60_000)
