/** The W3C text form of a trace context: what travels in metadata, job rows and NATS headers. */

import { type Context, createTraceState, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { parseTraceParent } from '@opentelemetry/core'

/**
 * The `traceparent` of the span that is active here, or undefined when there is none (always so
 * before telemetry is started).
 */
export function currentTraceparent(): string | undefined {
  const span = trace.getActiveSpan()?.spanContext()
  if (span === undefined || !trace.isSpanContextValid(span)) return undefined
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`
}

/** The `tracestate` that belongs beside {@link currentTraceparent}, if the caller brought one. */
export function currentTracestate(): string | undefined {
  const text = trace.getActiveSpan()?.spanContext().traceState?.serialize()
  return text === '' ? undefined : text
}

/**
 * A context whose parent is the remote span the text names. An absent or malformed text gives the
 * root context: a broken header must never break the work it came with.
 */
export function contextFromTraceparent(
  traceparent: string | undefined,
  tracestate?: string,
): Context {
  const span = traceparent === undefined ? null : parseTraceParent(traceparent)
  if (span === null) return ROOT_CONTEXT
  span.isRemote = true
  if (tracestate !== undefined) span.traceState = createTraceState(tracestate)
  return trace.setSpanContext(ROOT_CONTEXT, span)
}
