/** Every call shape against every way a call can end, over real connections. */

import {
  Metadata,
  type ServerDuplexStream,
  status,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { encodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { describe, expect, test } from 'vitest'
import { type Echo, type EchoMethods, serveEcho } from '../testing/echo-fixture.ts'
import { openBidi } from './bidi-stream.ts'
import type { CallOptions } from './call-options.ts'
import { callClientStream } from './client-stream.ts'
import { OffstageError } from './offstage-error.ts'
import { callServerStream } from './server-stream.ts'
import { callUnary } from './unary.ts'

interface Fault {
  readonly code: status
  readonly details: string
  readonly metadata?: Metadata
}

/** What any handler of grpc-js is given, seen as the widest of the four call objects. */
type AnyCall = ServerDuplexStream<Echo, Echo> & { readonly request: Echo }
type Answer = (fault: Fault | null, answer?: Echo) => void

async function textsOf(responses: AsyncIterable<Echo>): Promise<string> {
  let all = ''
  for await (const { text } of responses) all += text
  return all
}

const shapes: Record<
  string,
  (echo: EchoMethods, text: string, o?: CallOptions) => Promise<string>
> = {
  one: async (echo, text, options) => (await callUnary(echo.one, { text }, options)).text,
  down: (echo, text, options) => textsOf(callServerStream(echo.down, { text }, options)),
  up: async (echo, text, options) => (await callClientStream(echo.up, [{ text }], options)).text,
  both: (echo, text, options) => {
    const call = openBidi(echo.both, options)
    call.send({ text })
    call.end()
    return textsOf(call.responses)
  },
}

/** Implements all four methods by one function told how to answer. */
function handlersOf(handle: (call: AnyCall, answer: Answer) => void): UntypedServiceImplementation {
  const single = (call: AnyCall, answer: Answer) => handle(call, answer)
  const stream = (call: AnyCall) =>
    handle(call, (fault, answer) => {
      if (fault !== null) return void call.emit('error', Object.assign(new Error(), fault))
      if (answer) call.write(answer)
      call.end()
    })
  const [one, many] = [single as UntypedHandleCall, stream as UntypedHandleCall]
  return { one, up: one, down: many, both: many }
}

const echo = handlersOf((call, answer) => {
  if (call.request) answer(null, call.request)
  else call.once('data', (request: Echo) => answer(null, request))
})

function failing(fault: Fault): UntypedServiceImplementation {
  return handlersOf((_call, answer) => answer(fault))
}

/** A server that never answers and tells when it was called and when the call was cancelled. */
function silent() {
  const begun = Promise.withResolvers<void>()
  const cancelled = Promise.withResolvers<void>()
  const handlers = handlersOf((call) => {
    call.once('cancelled', cancelled.resolve)
    begun.resolve()
  })
  return { handlers, begun: begun.promise, cancelled: cancelled.promise }
}

async function errorOf(call: Promise<unknown>): Promise<OffstageError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(OffstageError)
  return error as OffstageError
}

describe.each(Object.entries(shapes))('a call of shape %s', (_name, call) => {
  test('brings back what the service answers', async () => {
    using server = await serveEcho(echo)
    expect(await call(server, 'hello')).toBe('hello')
  })

  test('a refusal becomes an error with its reason and details', async () => {
    const metadata = new Metadata()
    const details = { code: 9, message: 'busy', reason: 'QUEUE_FULL', retryDelayMs: 250 }
    metadata.set(STATUS_DETAILS_KEY, encodeErrorDetails({ ...details, metadata: { queue: 'q' } }))
    const fault = { code: status.RESOURCE_EXHAUSTED, details: 'busy', metadata }
    using server = await serveEcho(failing(fault))
    const error = await errorOf(call(server, 'hello'))
    expect(error).toMatchObject({
      message: 'busy',
      reason: 'QUEUE_FULL',
      metadata: { queue: 'q' },
      retryDelayMs: 250,
      retryable: true,
    })
    expect(error.cause).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
  })

  test('a fault without details keeps its code and is not worth a retry', async () => {
    using server = await serveEcho(failing({ code: status.UNKNOWN, details: 'oops' }))
    const expected = { code: status.UNKNOWN, reason: 'INTERNAL', message: 'oops', retryable: false }
    expect(await errorOf(call(server, 'hello'))).toMatchObject(expected)
  })

  test('an abort cancels the call and throws the reason of the signal', async () => {
    const { handlers, begun, cancelled } = silent()
    using server = await serveEcho(handlers)
    const abort = new AbortController()
    const outcome = call(server, 'hello', { signal: abort.signal })
    const reason = new Error('the user left')
    const rejects = expect(outcome).rejects.toBe(reason)
    await begun
    abort.abort(reason)
    await rejects
    await cancelled
  })

  test('a signal that is aborted already makes no call', async () => {
    const { handlers } = silent()
    using server = await serveEcho(handlers)
    const reason = new Error('too late')
    const outcome = (async () => call(server, 'x', { signal: AbortSignal.abort(reason) }))()
    await expect(outcome).rejects.toBe(reason)
  })

  test('a deadline ends the call on both sides', async () => {
    const { handlers, cancelled } = silent()
    using server = await serveEcho(handlers)
    const error = await errorOf(call(server, 'hello', { deadlineMs: 200 }))
    expect(error).toMatchObject({ code: status.DEADLINE_EXCEEDED, reason: 'DEADLINE_EXCEEDED' })
    expect(error.message).toContain('200 ms')
    await cancelled
  })

  test('a deadline beyond what timers can hold is no deadline', async () => {
    using server = await serveEcho(echo)
    expect(await call(server, 'hello', { deadlineMs: 30 * 24 * 3_600_000 })).toBe('hello')
  })

  test('a service that dies in mid call is unreachable', async () => {
    const { handlers, begun } = silent()
    using server = await serveEcho(handlers)
    const outcome = errorOf(call(server, 'hello'))
    await begun
    server.kill()
    const expected = { code: status.UNAVAILABLE, reason: 'SERVICE_UNREACHABLE', retryable: true }
    expect(await outcome).toMatchObject(expected)
  })

  test('a service that is not there is named with its address and variable', async () => {
    const service = { service: 'the scheduler', variable: 'OFFSTAGE_SCHEDULER' }
    using server = await serveEcho(echo, service)
    server.kill()
    const error = await errorOf(call(server, 'hello', { target: server.channel }))
    expect(error.reason).toBe('SERVICE_UNREACHABLE')
    expect(error.message).toContain(`cannot reach the scheduler at ${server.address}: `)
    expect(error.message).toContain('ECONNREFUSED')
    expect(error.message).toContain('OFFSTAGE_SCHEDULER sets the address')
  })

  test('a request over the limit of this side is refused naming the limit', async () => {
    using server = await serveEcho(echo, { maxMessageBytes: 1_000 })
    const error = await errorOf(call(server, 'a'.repeat(2_000)))
    expect(error.reason).toBe('MESSAGE_TOO_LARGE')
    expect(error.message).toBe('a message is over the limit of 1000 bytes')
  })

  test('an answer over the limit of this side is refused naming both sizes', async () => {
    const large = handlersOf((_call, answer) => answer(null, { text: 'a'.repeat(2_000) }))
    using server = await serveEcho(large, { maxMessageBytes: 1_000 })
    const error = await errorOf(call(server, 'hello'))
    expect(error.reason).toBe('MESSAGE_TOO_LARGE')
    expect(error.message).toMatch(/^a message of 20\d\d bytes is over the limit of 1000 bytes$/)
  })

  test('a request over the limit of the service is refused naming both sizes', async () => {
    using server = await serveEcho(echo)
    const error = await errorOf(call(server, 'a'.repeat(5 * 1024 * 1024)))
    expect(error.reason).toBe('MESSAGE_TOO_LARGE')
    expect(error.message).toMatch(/^a message of 5242\d\d\d bytes is over the limit of 4194304/)
  })
})
