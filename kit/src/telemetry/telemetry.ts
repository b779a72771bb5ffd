/**
 * Tracing for one process. The OpenTelemetry API keeps its provider, context manager and propagator
 * in process-wide slots; starting fills the free ones, stopping empties those it filled.
 *
 * 1. Before the first start and after the last stop nothing tracks async contexts.
 * 2. A slot filled by somebody else (an application that embeds Offstage) is used, never replaced.
 */

import { context, propagation, type TracerProvider, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider as SdkTracerProvider,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace'
import { createService, type Service } from '../lifecycle/mod.ts'
import { createContextManager } from './context-manager.ts'
import { createIdTracerProvider } from './id-tracer.ts'

export interface TelemetryOptions {
  /** `service.name` of the resource, e.g. `offstage-scheduler`. */
  readonly serviceName: string
  /**
   * OTLP/gRPC collector, e.g. `http://127.0.0.1:4317`. Absent: spans only carry ids, which are
   * printed in logs and handed on to whoever is called; nothing is exported.
   */
  readonly otlpEndpoint?: string
  /** Share of new traces that are recorded, 0..1; a caller's decision is followed. Default 1. */
  readonly sampleRatio?: number
  /** Further receivers of finished spans; with one given, spans are recorded without a collector. */
  readonly spanProcessors?: readonly SpanProcessor[]
}

let running = 0

/** True while telemetry is started in this process: whether opening a span can have an effect. */
export function tracingActive(): boolean {
  return running > 0
}

/** A service that turns tracing on; its stop hands over the spans not yet exported (up to 5 s). */
export function startTelemetry(options: TelemetryOptions): Service {
  let undo: (() => Promise<void>) | undefined
  return createService({
    name: 'telemetry',
    async start() {
      undo = await register(options)
      running += 1
    },
    async stop() {
      if (undo === undefined) return
      const shutdown = undo
      undo = undefined
      running -= 1
      await shutdown()
    },
  })
}

async function register(options: TelemetryOptions): Promise<() => Promise<void>> {
  const { provider, shutdown } = await createProvider(options)
  const contexts = createContextManager()
  const ownsProvider = trace.setGlobalTracerProvider(provider)
  const ownsContexts = context.setGlobalContextManager(contexts)
  const ownsPropagator = propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  return async () => {
    if (ownsProvider) trace.disable()
    if (ownsContexts) context.disable()
    if (ownsPropagator) propagation.disable()
    await shutdown()
  }
}

interface Tracing {
  readonly provider: TracerProvider
  readonly shutdown: () => Promise<void>
}

async function createProvider(options: TelemetryOptions): Promise<Tracing> {
  const spanProcessors = [...(options.spanProcessors ?? [])]
  if (options.otlpEndpoint !== undefined) {
    // Loaded when needed: it takes longer than everything else a service loads.
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-grpc')
    const exporter = new OTLPTraceExporter({ url: options.otlpEndpoint })
    spanProcessors.push(new BatchSpanProcessor({ exporter, exportTimeoutMillis: 5_000 }))
  }
  if (spanProcessors.length === 0) {
    return { provider: createIdTracerProvider(), shutdown: async () => {} }
  }
  const ratio = options.sampleRatio ?? 1
  const root = ratio >= 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(ratio)
  const provider = new SdkTracerProvider({
    resource: resourceFromAttributes({ 'service.name': options.serviceName }),
    sampler: new ParentBasedSampler({ root }),
    spanProcessors,
  })
  return { provider, shutdown: () => provider.shutdown() }
}
