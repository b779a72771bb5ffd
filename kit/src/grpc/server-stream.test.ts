import { once } from 'node:events'
import { HTTP2_WINDOW_BYTES, openStalledReader, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { type Echo, type EchoServer, serveEcho } from './echo-fixture.ts'
import { serverStream } from './server-stream.ts'

const stalledReader = ({ server }: EchoServer) =>
  openStalledReader(server.address, '/offstage.test.Echo/Down', Buffer.from('{"text":""}'))

test('a handler goes on only when its answer has left the process', async () => {
  const ended = Promise.withResolvers<'to its end' | 'cut off'>()
  const down = serverStream<Echo, Echo>('identified', async function* () {
    let end: 'to its end' | 'cut off' = 'cut off'
    try {
      yield { text: 'x'.repeat(2 * HTTP2_WINDOW_BYTES) }
      end = 'to its end'
    } finally {
      ended.resolve(end)
    }
  })
  await using server = await serveEcho({ down })
  {
    using reader = await stalledReader(server)
    await until(() => reader.received() >= HTTP2_WINDOW_BYTES)
  }
  expect(await ended.promise).toBe('cut off')
})

test('a reader that stalls holds one answer in memory, and goes on where it was', async () => {
  let taken = 0
  const down = serverStream<Echo, Echo>('identified', async function* () {
    for (; taken < 8; taken++) yield { text: 'x'.repeat(HTTP2_WINDOW_BYTES) }
  })
  await using server = await serveEcho({ down })
  using reader = await stalledReader(server)
  await until(() => reader.received() >= HTTP2_WINDOW_BYTES)
  expect(taken).toBe(0)
  let bytes = 0
  reader.stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  reader.stream.resume()
  await once(reader.stream, 'end')
  expect(taken).toBe(8)
  expect(bytes).toBeGreaterThan(8 * HTTP2_WINDOW_BYTES)
})

test('a stopping server is not held up by a reader that stalls', async () => {
  const aborted = Promise.withResolvers<void>()
  const down = serverStream<Echo, Echo>('identified', async function* () {
    try {
      yield { text: 'x'.repeat(2 * HTTP2_WINDOW_BYTES) }
    } finally {
      aborted.resolve()
    }
  })
  await using server = await serveEcho({ down }, { stopGraceMs: 50 })
  using reader = await stalledReader(server)
  await until(() => reader.received() >= HTTP2_WINDOW_BYTES)
  await server.server.stop()
  await aborted.promise
})
