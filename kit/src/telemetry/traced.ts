import {
  type Attributes,
  type Context,
  context as contextApi,
  type Link,
  type Span,
  type SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { contextFromTraceparent } from './traceparent.ts'

export interface TraceOptions {
  /** The context to continue; default: the active one. */
  readonly parent?: Context
  /** `traceparent` texts of spans that are related but not the parent; malformed ones are skipped. */
  readonly links?: readonly string[]
  /** Default: internal. */
  readonly kind?: SpanKind
  readonly attributes?: Attributes
}

/**
 * Runs `work` inside a span of this name, active across its awaits. A thrown error is recorded on
 * the span and rethrown. Without started telemetry the span is a no-op.
 */
export async function traced<T>(
  name: string,
  options: TraceOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const parent = options.parent ?? contextApi.active()
  const links = options.links?.flatMap(linkFromTraceparent)
  const { kind, attributes } = options
  const span = trace.getTracer('offstage').startSpan(name, { kind, attributes, links }, parent)
  try {
    return await contextApi.with(trace.setSpan(parent, span), work, undefined, span)
  } catch (error) {
    recordFault(span, error)
    throw error
  } finally {
    span.end()
  }
}

/** Marks the span as failed and keeps the exception on it. */
function recordFault(span: Span, error: unknown): void {
  const exception = error instanceof Error ? error : new Error(String(error))
  span.recordException(exception)
  span.setStatus({ code: SpanStatusCode.ERROR, message: exception.message })
}

function linkFromTraceparent(traceparent: string): Link[] {
  const context = trace.getSpanContext(contextFromTraceparent(traceparent))
  return context === undefined ? [] : [{ context }]
}
