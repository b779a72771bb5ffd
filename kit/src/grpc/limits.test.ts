import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { openStalledReader, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { bidiStream } from './bidi-stream.ts'
import { type Echo, type EchoServer, serveEcho } from './echo-fixture.ts'
import { serverStream } from './server-stream.ts'
import { unary } from './unary.ts'

function one({ client }: EchoServer, user: string, text = ''): Promise<Echo> {
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  return new Promise((resolve, reject) => {
    client.one({ text }, metadata, {}, (error, answer) =>
      error === null ? resolve(answer as Echo) : reject(error),
    )
  })
}

async function refusalOf(call: Promise<unknown>) {
  const error = (await call.then(
    () => expect.fail('was not refused'),
    (refusal: unknown) => refusal,
  )) as ServiceError
  const bytes = error.metadata.get(STATUS_DETAILS_KEY)[0]
  const { reason, metadata, retryDelayMs } = decodeErrorDetails(bytes as Buffer)
  return { code: error.code, reason, metadata, retryDelayMs }
}

const CHUNK = { text: 'x'.repeat(64 * 1024) }
const message = Buffer.from(JSON.stringify({ text: '' }))

test('a caller with as many calls open as may be is told when to come back; others are served, and so are they later', async () => {
  const gate = Promise.withResolvers<void>()
  const held = unary('identified', async (request: Echo) => {
    if (request.text === 'wait') await gate.promise
    return request
  })
  await using echo = await serveEcho({ one: held }, { limits: { callerCallsMax: 2 } })
  const open = [one(echo, 'mallory', 'wait'), one(echo, 'mallory', 'wait')]
  expect(await refusalOf(one(echo, 'mallory'))).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    reason: 'TOO_MANY_CALLS',
    metadata: { limit: 'caller_calls', max: '2' },
    retryDelayMs: 250,
  })
  await one(echo, 'ann')
  gate.resolve()
  await Promise.all(open)
  await one(echo, 'mallory')
})

test('streams are counted apart from calls', async () => {
  await using echo = await serveEcho({}, { limits: { callerStreamsMax: 1 } })
  const first = echo.client.both(new Metadata(), {})
  first.write({ text: 'a' })
  await once(first, 'data')
  const second = echo.client.both(new Metadata(), {})
  second.write({ text: 'b' })
  const [error] = (await once(second, 'error')) as [ServiceError]
  expect(error.code).toBe(status.RESOURCE_EXHAUSTED)
  await one(echo, 'dev')
  first.end()
  first.resume()
  await once(first, 'end')
})

test.each(['Down', 'Both'])(
  'a reader of %s that takes nothing loses its stream, and the handler is over',
  async (name) => {
    const ended: unknown[] = []
    async function* forever() {
      try {
        for (;;) yield CHUNK
      } finally {
        ended.push('down')
      }
    }
    const both = bidiStream<Echo, Echo>('identified', async (call) => {
      try {
        for (;;) await call.write(CHUNK)
      } catch (error) {
        ended.push(error)
        throw error
      }
    })
    const handlers = { down: serverStream('identified', forever), both }
    await using echo = await serveEcho(handlers, { limits: { slowReaderMs: 300 } })
    using reader = await openStalledReader(
      echo.server.address,
      `/offstage.test.Echo/${name}`,
      message,
    )
    const closed = once(reader.stream, 'close')
    await until(() => ended.length > 0, { what: 'the end of the handler' })
    reader.stream.removeAllListeners('error').on('error', () => {})
    await closed
    // ENHANCE_YOUR_CALM, which clients of gRPC report as RESOURCE_EXHAUSTED.
    expect(reader.stream.rstCode).toBe(11)
    expect(echo.faults).toEqual([])
  },
)

test('a reader that is slow and reads on in time loses nothing', async () => {
  const down = serverStream('identified', async function* () {
    for (let i = 0; i < 20; i++) yield CHUNK
  })
  await using echo = await serveEcho({ down }, { limits: { slowReaderMs: 5_000 } })
  const call = echo.client.down({ text: '' }, new Metadata(), {})
  let count = 0
  for await (const _ of call) {
    count += 1
    if (count % 5 === 0) await sleep(50)
  }
  expect(count).toBe(20)
})

test('where memory is short calls are refused and health says so; then they are taken again', async () => {
  let part = 0
  await using echo = await serveEcho({}, { memoryInUse: () => part })
  await one(echo, 'ann')
  part = 0.9
  await until(() => echo.server.unready === 'overloaded', { what: 'overloaded' })
  expect(await refusalOf(one(echo, 'ann'))).toMatchObject({
    reason: 'OVERLOADED',
    metadata: { limit: 'memory' },
    retryDelayMs: 1_000,
  })
  part = 0.1
  await until(() => echo.server.unready === undefined, { what: 'serving' })
  await one(echo, 'ann')
})
