import { Metadata } from '@grpc/grpc-js'
import { SpanKind } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { expect, test } from 'vitest'
import { currentTraceparent, startTelemetry } from '../telemetry/mod.ts'
import { type Echo, type EchoServer, serveEcho } from './echo-fixture.ts'
import { Refusal } from './refusal.ts'
import { unary } from './unary.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'

const traceparent = unary('identified', (_request: Echo) => ({
  text: String(currentTraceparent()),
}))

function callTraced({ client }: EchoServer): Promise<string | undefined> {
  const metadata = new Metadata()
  metadata.set('traceparent', `00-${TRACE_ID}-00f067aa0ba902b7-01`)
  return new Promise((resolve) =>
    client.one({ text: '' }, metadata, {}, (_error, answer) => resolve(answer?.text)),
  )
}

test('a handler runs in the trace of its caller, in a span of its own', async () => {
  const exporter = new InMemorySpanExporter()
  const spanProcessors = [new SimpleSpanProcessor({ exporter })]
  await using telemetry = startTelemetry({ serviceName: 'test', spanProcessors })
  await telemetry.start()
  await using server = await serveEcho({ one: traceparent })
  const seen = await callTraced(server)
  await expect.poll(() => exporter.getFinishedSpans()).toHaveLength(1)
  const [span] = exporter.getFinishedSpans()
  expect(span).toMatchObject({
    name: 'offstage.test.Echo/One',
    kind: SpanKind.SERVER,
    parentSpanContext: { traceId: TRACE_ID, spanId: '00f067aa0ba902b7' },
  })
  expect(seen).toBe(`00-${TRACE_ID}-${span?.spanContext().spanId}-01`)
})

test('the span of a refused call carries the code', async () => {
  const exporter = new InMemorySpanExporter()
  const spanProcessors = [new SimpleSpanProcessor({ exporter })]
  await using telemetry = startTelemetry({ serviceName: 'test', spanProcessors })
  await telemetry.start()
  const one = unary<Echo, Echo>('identified', () => {
    throw new Refusal({ reason: 'JOB_NOT_FOUND', message: 'no such job' })
  })
  await using server = await serveEcho({ one })
  await callTraced(server)
  await expect.poll(() => exporter.getFinishedSpans()).toHaveLength(1)
  const [span] = exporter.getFinishedSpans()
  expect(span?.attributes).toMatchObject({ 'rpc.grpc.status_code': 5 })
})

test('without telemetry a handler has no trace', async () => {
  await using server = await serveEcho({ one: traceparent })
  expect(await callTraced(server)).toBe('undefined')
})
