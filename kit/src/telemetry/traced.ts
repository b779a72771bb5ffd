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
import { stackForLog, textForLog } from './error-for-log.ts'
import { contextFromTraceparent } from './traceparent.ts'

export interface TraceOptions {
  /** The context to continue; default: the active one. */
  readonly parent?: Context
  /** `traceparent` texts of spans that are related but not the parent; malformed ones are skipped. */
  readonly links?: readonly string[]
  /** Default: internal. */
  readonly kind?: SpanKind
  readonly attributes?: Attributes
  /** What is thrown may hold in its text what readers of spans may not see: only its class and frames are kept. */
  readonly hidesTexts?: boolean
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
    recordFault(span, error, options.hidesTexts ?? false)
    throw error
  } finally {
    span.end()
  }
}

/** Marks the span as failed and keeps the exception on it. */
function recordFault(span: Span, error: unknown, hidesTexts: boolean): void {
  const told = hidesTexts && error instanceof Error ? withoutText(error) : error
  recordException(span, told)
  const message = told instanceof Error ? textForLog(told) : undefined
  span.setStatus({ code: SpanStatusCode.ERROR, message })
}

function withoutText({ name, stack = '' }: Error): Error {
  const bare = Object.assign(new Error(), { name })
  bare.stack = stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => `\n${line}`)
    .join('')
  return bare
}

/** As much of it as a log would tell. */
export function recordException(span: Span, error: unknown): void {
  if (!(error instanceof Error)) return
  const { name } = error
  span.recordException({ name, message: textForLog(error), stack: stackForLog(error) })
}

function linkFromTraceparent(traceparent: string): Link[] {
  const context = trace.getSpanContext(contextFromTraceparent(traceparent))
  return context === undefined ? [] : [{ context }]
}
