import { setImmediate as turn } from 'node:timers/promises'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { expect, test } from 'vitest'
import { startTelemetry, type TelemetryOptions, tracingActive } from './telemetry.ts'
import { traced } from './traced.ts'
import { contextFromTraceparent, currentTraceparent, currentTracestate } from './traceparent.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const REMOTE = `00-${TRACE_ID}-00f067aa0ba902b7-01`

async function started(options: Partial<TelemetryOptions> = {}) {
  const service = startTelemetry({ serviceName: 'test', ...options })
  await service.start()
  return service
}

function recorder() {
  const exporter = new InMemorySpanExporter()
  const spanProcessors = [new SimpleSpanProcessor({ exporter })]
  return { spanProcessors, spans: () => exporter.getFinishedSpans() }
}

test('without a collector spans have real ids that follow the work across awaits', async () => {
  await using _telemetry = await started()
  await traced('outer', {}, async () => {
    const outer = currentTraceparent()
    expect(outer).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    await turn()
    expect(currentTraceparent()).toBe(outer)
    await traced('inner', {}, async () => {
      expect(currentTraceparent()?.slice(0, 35)).toBe(outer?.slice(0, 35))
      expect(currentTraceparent()).not.toBe(outer)
    })
  })
  expect(currentTraceparent()).toBeUndefined()
})

test('work that goes on at the same time keeps its traces apart', async () => {
  await using _telemetry = await started()
  const seen = await Promise.all(
    ['a', 'b'].map((name) =>
      traced(name, {}, async () => {
        const before = currentTraceparent()
        await turn()
        return [before, currentTraceparent()]
      }),
    ),
  )
  for (const [before, after] of seen) expect(after).toBe(before)
  expect(seen[0]?.[0]).not.toBe(seen[1]?.[0])
})

test('a remote parent is continued: same trace, its decision and its state', async () => {
  await using _telemetry = await started()
  const parent = contextFromTraceparent(`00-${TRACE_ID}-00f067aa0ba902b7-00`, 'vendor=1')
  await traced('work', { parent }, async () => {
    expect(currentTraceparent()).toMatch(new RegExp(`^00-${TRACE_ID}-(?!00f067aa0ba902b7).*-00$`))
    expect(currentTracestate()).toBe('vendor=1')
  })
})

test.each([undefined, '', 'nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `ff${REMOTE}`])(
  'the broken text %s begins a new trace instead of failing',
  (text) => {
    expect(trace.getSpanContext(contextFromTraceparent(text))).toBeUndefined()
  },
)

test('recorded spans carry kind, attributes, links, parent and resource', async () => {
  const { spanProcessors, spans } = recorder()
  await using _telemetry = await started({ spanProcessors, serviceName: 'offstage-test' })
  const options = {
    parent: contextFromTraceparent(REMOTE),
    links: [`00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`, 'nonsense'],
    kind: SpanKind.CONSUMER,
    attributes: { 'offstage.job': '7' },
  }
  await traced('run', options, async () => {})
  expect(spans()).toHaveLength(1)
  const [span] = spans()
  expect(span).toMatchObject({
    name: 'run',
    kind: SpanKind.CONSUMER,
    attributes: { 'offstage.job': '7' },
    parentSpanContext: { traceId: TRACE_ID, spanId: '00f067aa0ba902b7' },
    links: [{ context: { traceId: '1'.repeat(32) } }],
  })
  expect(span?.resource.attributes['service.name']).toBe('offstage-test')
})

test('a failure is recorded on its span and thrown on', async () => {
  const { spanProcessors, spans } = recorder()
  await using _telemetry = await started({ spanProcessors })
  const fault = new Error('no such file')
  const work = traced('read', {}, async () => {
    throw fault
  })
  await expect(work).rejects.toBe(fault)
  expect(spans()[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no such file' })
  expect(spans()[0]?.events[0]?.attributes).toMatchObject({ 'exception.message': 'no such file' })
})

test('a ratio of 0 records no new trace, yet follows a caller that records', async () => {
  const { spanProcessors, spans } = recorder()
  await using _telemetry = await started({ spanProcessors, sampleRatio: 0 })
  await traced('new', {}, async () => {
    expect(currentTraceparent()).toMatch(/-00$/)
  })
  await traced('continued', { parent: contextFromTraceparent(REMOTE) }, async () => {})
  expect(spans().map(({ name }) => name)).toEqual(['continued'])
})

test('before the start and after the stop nothing is traced', async () => {
  const silent = async () => {
    await traced('work', {}, async () => {
      expect(currentTraceparent()).toBeUndefined()
    })
    expect(tracingActive()).toBe(false)
  }
  await silent()
  const telemetry = await started()
  expect(tracingActive()).toBe(true)
  await telemetry.stop()
  await silent()
})

test('a second telemetry in the process shares the first, which outlives it', async () => {
  await using _first = await started()
  const second = await started()
  await second.stop()
  expect(tracingActive()).toBe(true)
  await traced('work', {}, async () => {
    expect(currentTraceparent()).toBeDefined()
  })
})

test('context-bound functions and active-span callbacks of the API work without a collector', async () => {
  await using _telemetry = await started()
  trace.getTracer('test').startActiveSpan('work', { root: true }, (span) => {
    const bound = context.bind(context.active(), () => trace.getActiveSpan())
    expect(trace.getActiveSpan()).toBe(span)
    expect(context.with(contextFromTraceparent(undefined), bound)).toBe(span)
  })
})

test('a stop hands the spans not yet exported to the collector', async () => {
  const collector = new Server()
  const batches: Buffer[] = []
  const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
  const bytes = (message: Buffer) => message
  const shape = { path, requestStream: false, responseStream: false } as const
  const requests = { requestSerialize: bytes, requestDeserialize: bytes }
  const responses = { responseSerialize: bytes, responseDeserialize: bytes }
  collector.addService(
    { export: { ...shape, ...requests, ...responses } },
    {
      export: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => {
        batches.push(call.request)
        done(null, Buffer.alloc(0))
      },
    },
  )
  const { promise: bound, resolve } = Promise.withResolvers<number>()
  collector.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, port) =>
    resolve(port),
  )
  const telemetry = await started({ otlpEndpoint: `http://127.0.0.1:${await bound}` })
  await traced('flushed at the end', {}, async () => {})
  await telemetry.stop()
  collector.forceShutdown()
  expect(Buffer.concat(batches).toString('latin1')).toContain('flushed at the end')
})
