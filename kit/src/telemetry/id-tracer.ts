/**
 * Traces without recording: every span gets real ids, which can be printed and handed on, and is
 * otherwise an empty object. Used when no collector is configured; a recording span would cost
 * several times more and its contents would be thrown away.
 */

import {
  type Context,
  context as contextApi,
  type Span,
  type SpanOptions,
  TraceFlags,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { RandomIdGenerator } from '@opentelemetry/sdk-trace'

const ids = new RandomIdGenerator()

/** A provider whose tracers give ids and record nothing. A new trace is marked as sampled. */
export function createIdTracerProvider(): TracerProvider {
  return { getTracer: () => idTracer }
}

function startSpan(_name: string, options?: SpanOptions, from = contextApi.active()): Span {
  const parent = options?.root ? undefined : trace.getSpanContext(from)
  const follows = parent !== undefined && trace.isSpanContextValid(parent)
  return trace.wrapSpanContext({
    traceId: follows ? parent.traceId : ids.generateTraceId(),
    spanId: ids.generateSpanId(),
    traceFlags: follows ? parent.traceFlags : TraceFlags.SAMPLED,
    traceState: follows ? parent.traceState : undefined,
  })
}

type Work = (span: Span) => unknown

const idTracer: Tracer = {
  startSpan,
  // The API's three overloads: (name, work), (name, options, work), (name, options, context, work).
  startActiveSpan<F extends Work>(name: string, ...rest: unknown[]): ReturnType<F> {
    const work = rest.at(-1) as Work
    const options = rest.length > 1 ? (rest[0] as SpanOptions) : undefined
    const from = rest.length > 2 ? (rest[1] as Context) : contextApi.active()
    const span = startSpan(name, options, from)
    return contextApi.with(trace.setSpan(from, span), work, undefined, span) as ReturnType<F>
  },
}
