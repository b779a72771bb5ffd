/** What the streaming shapes promise beyond carrying messages and faults. */

import { once } from 'node:events'
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerWritableStream,
  sendUnaryData,
} from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { type Echo, serveEcho } from '../testing/echo-fixture.ts'
import { openBidi } from './bidi-stream.ts'
import { callClientStream } from './client-stream.ts'
import { callServerStream } from './server-stream.ts'

const idle = () => {}
const unused = { one: idle, down: idle, up: idle, both: idle }

/** More than the two windows and buffers between client and server hold. */
const LARGE = { text: 'x'.repeat(256 * 1024) }

test('responses come in order, and those before a failure are not lost', async () => {
  using server = await serveEcho({
    ...unused,
    down: (call: ServerWritableStream<Echo, Echo>) => {
      for (const text of ['a', 'b', 'c']) call.write({ text })
      call.emit('error', Object.assign(new Error(), { code: 13, details: 'broke' }))
    },
  })
  const seen: string[] = []
  const reading = async () => {
    for await (const { text } of callServerStream(server.down, { text: '' })) seen.push(text)
  }
  await expect(reading()).rejects.toThrow('broke')
  expect(seen).toEqual(['a', 'b', 'c'])
})

test('leaving the loop cancels the call', async () => {
  const cancelled = Promise.withResolvers<void>()
  using server = await serveEcho({
    ...unused,
    down: (call: ServerWritableStream<Echo, Echo>) => {
      call.once('cancelled', cancelled.resolve)
      call.write({ text: 'first' })
    },
  })
  for await (const { text } of callServerStream(server.down, { text: '' })) {
    expect(text).toBe('first')
    break
  }
  await cancelled.promise
})

test('a slow reader holds back the server', async () => {
  const full = Promise.withResolvers<void>()
  let drains = 0
  using server = await serveEcho({
    ...unused,
    down: async (call: ServerWritableStream<Echo, Echo>) => {
      for (let sent = 0; sent < 100; sent += 1) {
        if (call.write(LARGE)) continue
        full.resolve()
        await once(call, 'drain')
        drains += 1
      }
      call.end()
    },
  })
  const responses = callServerStream(server.down, { text: '' })
  expect((await responses.next()).done).toBe(false)
  await full.promise
  let count = 1
  for await (const _ of responses) count += 1
  expect(count).toBe(100)
  expect(drains).toBeGreaterThan(0)
})

test('requests are taken only when there is room, and not after the answer came', async () => {
  using server = await serveEcho({
    ...unused,
    up: (call: ServerReadableStream<Echo, Echo>, answer: sendUnaryData<Echo>) => {
      call.once('data', () => {
        call.pause()
        answer(null, { text: 'enough' })
      })
    },
  })
  let taken = 0
  function* requests() {
    for (; taken < 10_000; taken += 1) yield LARGE
  }
  expect(await callClientStream(server.up, requests())).toEqual({ text: 'enough' })
  expect(taken).toBeLessThan(1_000)
})

test('a fault of the requests cancels the call and is thrown as it is', async () => {
  const begun = Promise.withResolvers<void>()
  const cancelled = Promise.withResolvers<void>()
  using server = await serveEcho({
    ...unused,
    up: (call: ServerReadableStream<Echo, Echo>) => {
      call.once('cancelled', cancelled.resolve)
      call.resume()
      begun.resolve()
    },
  })
  const fault = new Error('the file is unreadable')
  async function* requests() {
    yield { text: 'a' }
    await begun.promise
    throw fault
  }
  await expect(callClientStream(server.up, requests())).rejects.toBe(fault)
  await cancelled.promise
})

test('a bidi call answers while it is being written to', async () => {
  using server = await serveEcho({
    ...unused,
    both: (call: ServerDuplexStream<Echo, Echo>) => {
      call.on('data', (request: Echo) => call.write(request))
      call.on('end', () => call.end())
    },
  })
  const call = openBidi(server.both)
  for (const text of ['a', 'b', 'c']) {
    expect(call.send({ text })).toBe(true)
    expect(await call.responses.next()).toEqual({ done: false, value: { text } })
  }
  call.end()
  expect((await call.responses.next()).done).toBe(true)
})

test('a bidi call says when the server is behind and when there is room again', async () => {
  const resume = Promise.withResolvers<void>()
  using server = await serveEcho({
    ...unused,
    both: async (call: ServerDuplexStream<Echo, Echo>) => {
      await resume.promise
      call.resume()
      call.on('end', () => call.end())
    },
  })
  const call = openBidi(server.both)
  while (call.send(LARGE));
  resume.resolve()
  await call.drained()
  expect(call.send({ text: 'last' })).toBe(true)
  call.end()
  expect((await call.responses.next()).done).toBe(true)
})

test('after a bidi call is over sending does nothing and nobody waits', async () => {
  using server = await serveEcho({
    ...unused,
    both: (call: ServerDuplexStream<Echo, Echo>) => call.end(),
  })
  const call = openBidi(server.both)
  expect((await call.responses.next()).done).toBe(true)
  expect(call.send({ text: 'anyone?' })).toBe(false)
  await call.drained()
})

test('a bidi call that is cancelled ends on both sides', async () => {
  const begun = Promise.withResolvers<void>()
  const cancelled = Promise.withResolvers<void>()
  using server = await serveEcho({
    ...unused,
    both: (call: ServerDuplexStream<Echo, Echo>) => {
      call.once('cancelled', cancelled.resolve)
      begun.resolve()
    },
  })
  const call = openBidi(server.both)
  await begun.promise
  call.cancel()
  await expect(call.responses.next()).rejects.toMatchObject({ reason: 'CANCELLED' })
  await cancelled.promise
})
