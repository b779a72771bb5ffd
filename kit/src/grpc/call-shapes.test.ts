/** Every call shape against every way a call can end, over real connections. */

import { setTimeout as delay } from 'node:timers/promises'
import {
  type ClientReadableStream,
  Metadata,
  type requestCallback,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { helpUrlOf } from '@offstage/proto/reasons'
import { describe, expect, test } from 'vitest'
import { bidiStream } from './bidi-stream.ts'
import type { Implementation } from './bind-services.ts'
import type { CallAborted } from './call-aborted.ts'
import type { CallContext } from './call-context.ts'
import { clientStream } from './client-stream.ts'
import { type Echo, type EchoServer, serveEcho, UNREADABLE } from './echo-fixture.ts'
import { Refusal } from './refusal.ts'
import { serverStream } from './server-stream.ts'
import { unary } from './unary.ts'

type Work = (context: CallContext) => Promise<Echo>

interface Outcome {
  readonly texts: string[]
  readonly error?: ServiceError
}

interface Call {
  readonly outcome: Promise<Outcome>
  cancel(): void
}

interface Shape {
  readonly method: string
  serve(work: Work): Implementation[string]
  call(server: EchoServer, text: string, options?: { deadline?: number }): Call
}

function streamed(stream: ClientReadableStream<Echo>): Call {
  const texts: string[] = []
  const outcome = new Promise<Outcome>((resolve) => {
    stream.on('data', ({ text }: Echo) => texts.push(text))
    stream.on('end', () => resolve({ texts }))
    stream.on('error', (error: ServiceError) => resolve({ texts, error }))
  })
  return { outcome, cancel: () => stream.cancel() }
}

function answered(begin: (callback: requestCallback<Echo>) => { cancel(): void }): Call {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const call = begin((error, answer) =>
    resolve(error ? { texts: [], error } : { texts: [answer?.text ?? ''] }),
  )
  return { outcome: promise, cancel: () => call.cancel() }
}

const shapes: Record<string, Shape> = {
  unary: {
    method: 'one',
    serve: (work) => unary<Echo, Echo>('identified', (_request, context) => work(context)),
    call: ({ client }, text, options = {}) =>
      answered((callback) => client.one({ text }, new Metadata(), options, callback)),
  },
  'server stream': {
    method: 'down',
    serve: (work) =>
      serverStream<Echo, Echo>('identified', async function* (_request, context) {
        yield await work(context)
      }),
    call: ({ client }, text, options = {}) =>
      streamed(client.down({ text }, new Metadata(), options)),
  },
  'client stream': {
    method: 'up',
    serve: (work) => clientStream<Echo, Echo>('identified', (_requests, context) => work(context)),
    call: ({ client }, text, options = {}) =>
      answered((callback) => {
        const stream = client.up(new Metadata(), options, callback)
        stream.write({ text })
        stream.end()
        return stream
      }),
  },
  'bidi stream': {
    method: 'both',
    serve: (work) =>
      bidiStream<Echo, Echo>('identified', async (call, context) => {
        call.send(await work(context))
      }),
    call: ({ client }, text, options = {}) => {
      const stream = client.both(new Metadata(), options)
      stream.write({ text })
      stream.end()
      return streamed(stream)
    },
  },
}

function reasonOf(error: ServiceError | undefined): string | undefined {
  const bytes = error?.metadata.get(STATUS_DETAILS_KEY)[0]
  return Buffer.isBuffer(bytes) ? decodeErrorDetails(bytes).reason : undefined
}

/** A handler that waits until its signal aborts and tells the test of both. */
function waiting() {
  const begun = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<CallAborted>()
  const work: Work = (context) =>
    new Promise((_resolve, reject) => {
      context.signal.addEventListener('abort', () => {
        aborted.resolve(context.signal.reason)
        reject(context.signal.reason)
      })
      begun.resolve()
    })
  return { work, begun: begun.promise, aborted: aborted.promise }
}

describe.each(Object.entries(shapes))('%s', (_name, shape) => {
  test('carries the answer of the handler', async () => {
    await using server = await serveEcho()
    expect(await shape.call(server, 'a').outcome).toEqual({ texts: ['a'] })
  })

  test('a message that cannot be decoded is refused with the reason, and ends its call only', async () => {
    await using server = await serveEcho()
    const { error } = await shape.call(server, UNREADABLE).outcome
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
    expect(error?.details).toMatch(/^the message cannot be decoded: .*JSON/)
    expect(reasonOf(error)).toBe('INVALID_FIELD')
    expect(server.faults).toEqual([])
    expect(await shape.call(server, 'a').outcome).toEqual({ texts: ['a'] })
  })

  test('a refusal arrives with its code, reason and details, and is not logged', async () => {
    const refuse: Work = async () => {
      const violations = [{ field: 'text', description: 'must be short' }]
      throw new Refusal({ reason: 'INVALID_FIELD', message: 'too long — 100 %', violations })
    }
    await using server = await serveEcho({ [shape.method]: shape.serve(refuse) })
    const { error } = await shape.call(server, 'a').outcome
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: 'too long — 100 %' })
    expect(decodeErrorDetails(error?.metadata.get(STATUS_DETAILS_KEY)[0] as Buffer)).toMatchObject({
      reason: 'INVALID_FIELD',
      violations: [{ field: 'text', description: 'must be short' }],
      helpUrl: helpUrlOf('INVALID_FIELD'),
    })
    expect(server.faults).toEqual([])
  })

  test('an unknown fault is hidden from the caller and logged once with its stack', async () => {
    const fail: Work = async () => {
      throw new TypeError('password is hunter2')
    }
    await using server = await serveEcho({ [shape.method]: shape.serve(fail) })
    const { error } = await shape.call(server, 'a').outcome
    expect(error).toMatchObject({ code: status.INTERNAL })
    expect(error?.message).not.toContain('hunter2')
    expect(reasonOf(error)).toBe('INTERNAL')
    expect(server.faults).toHaveLength(1)
    expect(server.faults[0]).toMatchObject({
      err: { message: 'password is hunter2', stack: expect.stringContaining('call-shapes') },
    })
  })

  test('a cancel by the client aborts the signal of the handler', async () => {
    const { work, begun, aborted } = waiting()
    await using server = await serveEcho({ [shape.method]: shape.serve(work) })
    const call = shape.call(server, 'a')
    await begun
    call.cancel()
    expect(await aborted).toMatchObject({ name: 'AbortError', kind: 'cancelled' })
    expect((await call.outcome).error).toMatchObject({ code: status.CANCELLED })
    expect(server.faults).toEqual([])
  })

  test('a deadline ends the call and aborts the signal of the handler', async () => {
    const { work, aborted } = waiting()
    await using server = await serveEcho({ [shape.method]: shape.serve(work) })
    const call = shape.call(server, 'a', { deadline: Date.now() + 200 })
    expect((await call.outcome).error).toMatchObject({ code: status.DEADLINE_EXCEEDED })
    expect(await aborted).toMatchObject({ name: 'AbortError' })
    expect(server.faults).toEqual([])
  })

  test('a stopping server aborts the signal and answers that it shuts down', async () => {
    const { work, begun, aborted } = waiting()
    const stopGraceMs = 200
    await using server = await serveEcho({ [shape.method]: shape.serve(work) }, { stopGraceMs })
    const call = shape.call(server, 'a')
    await begun
    await server.server.stop()
    expect(await aborted).toMatchObject({ kind: 'server-stop' })
    const { error } = await call.outcome
    expect(error).toMatchObject({ code: status.UNAVAILABLE })
    expect(reasonOf(error)).toBe('SHUTTING_DOWN')
  })

  // A caller whom nobody tells finds out by a ping, after half a minute.
  test('a handler that ignores its signal cannot hold up the stop, nor its caller', {
    timeout: 15_000,
  }, async () => {
    const begun = Promise.withResolvers<void>()
    const stuck: Work = () => {
      begun.resolve()
      return new Promise(() => {})
    }
    const stopGraceMs = 50
    await using server = await serveEcho({ [shape.method]: shape.serve(stuck) }, { stopGraceMs })
    const call = shape.call(server, 'a')
    await begun.promise
    await server.server.stop()
    expect((await call.outcome).error?.code).toBeOneOf([status.CANCELLED, status.UNAVAILABLE])
  })

  test('a request over the limit is refused with both sizes', async () => {
    await using server = await serveEcho({}, { maxMessageBytes: 1_000 })
    const { error } = await shape.call(server, 'a'.repeat(2_000)).outcome
    expect(error?.code).toBe(status.RESOURCE_EXHAUSTED)
    expect(error?.details).toMatch(/larger than max \(2\d+ vs 1000\)/)
  })

  test('a caller who is turned away does not reach the handler', async () => {
    let reached = false
    const work: Work = async () => {
      reached = true
      return { text: 'secret' }
    }
    const authenticate = async () => {
      throw new Refusal({ reason: 'UNAUTHENTICATED', message: 'no token' })
    }
    await using server = await serveEcho({ [shape.method]: shape.serve(work) }, { authenticate })
    const { error } = await shape.call(server, 'a').outcome
    expect(error).toMatchObject({ code: status.UNAUTHENTICATED, details: 'no token' })
    expect(reached).toBe(false)
  })

  test('an AbortError of Node that follows from the signal counts as the abort', async () => {
    const begun = Promise.withResolvers<void>()
    const work: Work = (context) => {
      const text = delay(60_000, 'late', { signal: context.signal }).then((late) => ({
        text: late,
      }))
      begun.resolve()
      return text
    }
    await using server = await serveEcho({ [shape.method]: shape.serve(work) }, { stopGraceMs: 50 })
    const call = shape.call(server, 'a')
    await begun.promise
    await server.server.stop()
    expect(reasonOf((await call.outcome).error)).toBe('SHUTTING_DOWN')
    expect(server.faults).toEqual([])
  })
})
