import type { ClientDuplexStream, CallOptions as GrpcCallOptions, Metadata } from '@grpc/grpc-js'
import { type CallOptions, grpcOptionsOf, metadataOf } from './call-options.ts'
import { openCall } from './open-call.ts'
import { type RequestWriter, requestWriter } from './request-writer.ts'
import { responsesOf } from './response-stream.ts'

/** A bound method of a generated client, e.g. `client.attach.bind(client)`. */
export type BidiMethod<Req, Res> = (
  metadata: Metadata,
  options: GrpcCallOptions,
) => ClientDuplexStream<Req, Res>

/** A call that is open in both directions. */
export interface BidiCall<Req, Res> extends RequestWriter<Req> {
  /** To be iterated once. Leaving the iteration cancels the call; a failure throws from it. */
  readonly responses: AsyncGenerator<Res, void, undefined>
  /** Ends the call at once in both directions; the iteration throws CANCELLED. */
  cancel(): void
}

/** Opens a call of many requests and many responses; it is under way at once. */
export function openBidi<Req, Res>(
  method: BidiMethod<Req, Res>,
  options: CallOptions = {},
): BidiCall<Req, Res> {
  options.signal?.throwIfAborted()
  const stream = openCall(() => method(metadataOf(options), grpcOptionsOf(options)))
  return {
    ...requestWriter<Req>(stream),
    responses: responsesOf<Res>(stream, options),
    cancel: () => stream.cancel(),
  }
}
