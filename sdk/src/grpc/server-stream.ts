import type { ClientReadableStream, CallOptions as GrpcCallOptions, Metadata } from '@grpc/grpc-js'
import { type CallOptions, grpcOptionsOf, metadataOf } from './call-options.ts'
import { openCall } from './open-call.ts'
import { responsesOf } from './response-stream.ts'

/** A bound method of a generated client, e.g. `client.watchJobs.bind(client)`. */
export type ServerStreamMethod<Req, Res> = (
  request: Req,
  metadata: Metadata,
  options: GrpcCallOptions,
) => ClientReadableStream<Res>

/**
 * Calls with one request and iterates over the responses. The call is made when the iteration
 * begins; a failure throws an OffstageError after the responses that came before it.
 */
export async function* callServerStream<Req, Res>(
  method: ServerStreamMethod<Req, Res>,
  request: Req,
  options: CallOptions = {},
): AsyncGenerator<Res, void, undefined> {
  options.signal?.throwIfAborted()
  const open = () => method(request, metadataOf(options), grpcOptionsOf(options))
  yield* responsesOf(openCall(open), options)
}
