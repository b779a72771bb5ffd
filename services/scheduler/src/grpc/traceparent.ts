/** The trace that a call belongs to: its span here, or what it says of itself. */
import type { CallContext } from '@offstage/kit/grpc'
import { currentTraceparent, currentTracestate } from '@offstage/kit/telemetry'
import { isTraceparent } from '@offstage/proto/field-rules'

export function traceparentFor(context: CallContext): string {
  return currentTraceparent() ?? traceparentOf(context)
}

export function tracestateFor(context: CallContext): string {
  return currentTracestate() ?? textOf(context, 'tracestate')
}

/** A header is not the caller's doing: a malformed one is left out, and what goes with it, as W3C has it. */
function traceparentOf(context: CallContext): string {
  const text = textOf(context, 'traceparent')
  return text === '' || isTraceparent(text) ? text : ''
}

function textOf({ metadata }: CallContext, key: string): string {
  return String(metadata.get(key)[0] ?? '')
}
