/** Streams whose callers may no longer have them. */
import { Metadata, status } from '@grpc/grpc-js'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { until } from '@offstage/testkit'
import { describe, expect, test } from 'vitest'
import type { Actor } from '../auth/mod.ts'
import { bidiStream } from './bidi-stream.ts'
import { type Echo, type EchoServer, serveEcho } from './echo-fixture.ts'
import { Refusal } from './refusal.ts'
import { serverStream } from './server-stream.ts'

const ann: Actor = { user: 'ann', roles: ['user'], namespaces: ['default'] }
const expired = () => new Refusal({ reason: 'TOKEN_EXPIRED', message: 'the token has expired' })

/** An echo server whose callers are whoever `says` says when it is asked. */
async function setup(handlers = {}) {
  const place = { asked: 0, says: (): Actor | Promise<Actor> => ann }
  const authenticate = () => {
    place.asked += 1
    return place.says()
  }
  const echo = await serveEcho(handlers, { authenticate, lookAgainMs: 20 })
  return { ...echo, place, [Symbol.asyncDispose]: () => echo[Symbol.asyncDispose]() }
}

/** Opens a stream of the echo server, and waits until it has answered. */
async function open(it: Pick<EchoServer, 'client'>, shape: 'down' | 'both') {
  const { client } = it
  const both = shape === 'both' ? client.both(new Metadata(), {}) : undefined
  const stream = both ?? client.down({ text: 'a' }, new Metadata(), {})
  let reason: string | undefined
  let answers = 0
  stream.on('data', () => {
    answers += 1
  })
  stream.on('error', (error: { metadata: Metadata; code: status }) => {
    const [bytes] = error.metadata.get(STATUS_DETAILS_KEY)
    reason = Buffer.isBuffer(bytes) ? decodeErrorDetails(bytes).reason : status[error.code]
  })
  both?.write({ text: 'a' })
  await until(() => answers === 1)
  return { stream, reason: () => reason }
}

const standing = serverStream<Echo, Echo>('identified', async function* (request, { signal }) {
  yield request
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
})

describe.each(['down', 'both'] as const)('a stream that is open (%s)', (shape) => {
  test('ends with the reason for which its token is no longer taken', async () => {
    await using it = await setup({ down: standing })
    const { reason } = await open(it, shape)
    it.place.says = () => Promise.reject(expired())
    await until(() => reason() !== undefined)
    expect(reason()).toBe('TOKEN_EXPIRED')
    expect(it.faults).toEqual([])
  })

  test('goes on while its caller is who they were', async () => {
    await using it = await setup({ down: standing })
    const { stream, reason } = await open(it, shape)
    it.place.says = async () => structuredClone(ann)
    const { asked } = it.place
    await until(() => it.place.asked >= asked + 3)
    expect(reason()).toBeUndefined()
    stream.cancel()
  })

  test('ends where its caller may do something else by now', async () => {
    await using it = await setup({ down: standing })
    const { reason } = await open(it, shape)
    it.place.says = () => ({ ...ann, namespaces: [] })
    await until(() => reason() !== undefined)
    expect(reason()).toBe('RIGHTS_CHANGED')
  })

  test('goes on for a while where nobody can say who calls, and not for ever', async () => {
    await using it = await setup({ down: standing })
    const { reason } = await open(it, shape)
    const unavailable = new Refusal({ reason: 'IDENTITY_UNAVAILABLE', message: 'no keys' })
    const before = it.place.asked
    it.place.says = () => Promise.reject(unavailable)
    await until(() => it.place.asked >= before + 5)
    expect(reason()).toBeUndefined()
    await until(() => reason() !== undefined)
    expect(reason()).toBe('IDENTITY_UNAVAILABLE')
  })
})

test('what was cut short never looks complete, though its handler returns', async () => {
  const both = bidiStream<Echo, Echo>('identified', async (call, { signal }) => {
    for await (const request of call.requests) {
      call.send(request)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      break
    }
  })
  await using it = await setup({ both })
  const { reason } = await open(it, 'both')
  it.place.says = () => Promise.reject(expired())
  await until(() => reason() !== undefined)
  expect(reason()).toBe('TOKEN_EXPIRED')
})

test('a transfer that has begun goes on to its end', async () => {
  const last = Promise.withResolvers<void>()
  const down = serverStream<Echo, Echo>(
    'identified',
    async function* (request) {
      yield request
      await last.promise
      yield request
    },
    'transfer',
  )
  await using it = await setup({ down })
  const { stream, reason } = await open(it, 'down')
  // Beside it is a stream that stands, and shows when it has been looked for.
  const other = await open(it, 'both')
  it.place.says = () => Promise.reject(expired())
  await until(() => other.reason() !== undefined)
  last.resolve()
  await new Promise((resolve) => stream.once('end', resolve))
  expect(reason()).toBeUndefined()
})

test('nobody is asked about streams that are over', async () => {
  await using it = await setup()
  const { stream } = await open(it, 'both')
  stream.cancel()
  const one = () =>
    new Promise((resolve) => it.client.one({ text: 'a' }, new Metadata(), {}, resolve))
  await until(async () => {
    const { asked } = it.place
    await one()
    await new Promise((resolve) => setTimeout(resolve, 60))
    return it.place.asked === asked + 1
  })
})
