import { type CallOptions as GrpcCallOptions, Metadata } from '@grpc/grpc-js'
import { context, propagation, trace } from '@opentelemetry/api'
import type { Target } from './channel.ts'

export interface CallOptions {
  /** Aborting it cancels the call, which then fails with the signal's reason. */
  readonly signal?: AbortSignal
  /** How long the whole call may take. Default: no limit. Over it: DEADLINE_EXCEEDED. */
  readonly deadlineMs?: number
  /** Sent along; never changed. */
  readonly metadata?: Metadata
  /** Usually the channel; lets an error name the address and the variable that sets it. */
  readonly target?: Target
}

/** grpc-js overflows beyond 2^31 ms and would end the call at once; 24 days are as good as no limit. A deadline that is no number ends the process. */
const DEADLINE_MS_MAX = 2 ** 31 - 1

export function grpcOptionsOf({ deadlineMs }: CallOptions): GrpcCallOptions {
  if (deadlineMs === undefined || !(deadlineMs < DEADLINE_MS_MAX)) return {}
  return { deadline: Date.now() + deadlineMs }
}

/** The metadata of the call, with the trace context of the caller where a span is active. */
export function metadataOf({ metadata }: CallOptions): Metadata {
  if (trace.getActiveSpan() === undefined) return metadata ?? new Metadata()
  const traced = metadata?.clone() ?? new Metadata()
  propagation.inject(context.active(), traced, {
    set: (carrier, key, value) => carrier.set(key, value),
  })
  return traced
}
