/** An OpenTelemetry collector that remembers what it was sent, as far as a test asks. */
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js'
import protobuf from 'protobufjs'

/** The part of opentelemetry.proto.collector.trace.v1 that tells who did what within which trace. */
const { root } = protobuf.parse(
  `syntax = "proto3";
   message Value { string string_value = 1; }
   message Attribute { string key = 1; Value value = 2; }
   message Resource { repeated Attribute attributes = 1; }
   message Span { bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; }
   message ScopeSpans { repeated Span spans = 2; }
   message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
   message Request { repeated ResourceSpans resource_spans = 1; }`,
)
const Request = root.lookupType('Request')

interface RawSpan {
  traceId: Uint8Array
  spanId: Uint8Array
  parentSpanId?: Uint8Array
  name: string
}

interface RawRequest {
  resourceSpans: {
    resource?: { attributes: { key: string; value?: { stringValue?: string } }[] }
    scopeSpans: { spans: RawSpan[] }[]
  }[]
}

export interface CollectedSpan {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
}

export interface Collector extends AsyncDisposable {
  readonly endpoint: string
  readonly spans: readonly CollectedSpan[]
  /** All that was sent, as it came. */
  readonly received: readonly Buffer[]
}

const exportService = {
  export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
} satisfies ServiceDefinition

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const received: Buffer[] = []
  const server = new Server()
  server.addService(exportService, {
    export: (call: { request: Buffer }, answer: (error: null, response: Buffer) => void) => {
      received.push(call.request)
      spans.push(...spansOf(Request.decode(call.request) as unknown as RawRequest))
      answer(null, Buffer.alloc(0))
    },
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    received,
    async [Symbol.asyncDispose]() {
      server.forceShutdown()
    },
  }
}

function spansOf({ resourceSpans }: RawRequest): CollectedSpan[] {
  const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex')
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const name = resource?.attributes.find(({ key }) => key === 'service.name')
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: name?.value?.stringValue ?? '',
        name: span.name,
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentId: hex(span.parentSpanId),
      })),
    )
  })
}
