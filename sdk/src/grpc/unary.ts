import type {
  ClientUnaryCall,
  CallOptions as GrpcCallOptions,
  Metadata,
  ServiceError,
} from '@grpc/grpc-js'
import { type CallOptions, grpcOptionsOf, metadataOf } from './call-options.ts'
import { withCallersFrames } from './callers-frames.ts'
import { errorFromStatus } from './error-from-status.ts'
import { openCall } from './open-call.ts'

/** A bound method of a generated client, e.g. `client.getJob.bind(client)`. */
export type UnaryMethod<Req, Res> = (
  request: Req,
  metadata: Metadata,
  options: GrpcCallOptions,
  callback: (error: ServiceError | null, response: Res) => void,
) => ClientUnaryCall

/** Calls with one request and resolves to the answer; rejects with an OffstageError. */
export async function callUnary<Req, Res>(
  method: UnaryMethod<Req, Res>,
  request: Req,
  options: CallOptions = {},
): Promise<Res> {
  const { signal } = options
  signal?.throwIfAborted()
  const answer = new Promise<Res>((resolve, reject) => {
    const cancel = () => call.cancel()
    const done = (error: ServiceError | null, response: Res) => {
      signal?.removeEventListener('abort', cancel)
      if (!error) resolve(response)
      else reject(signal?.aborted ? signal.reason : errorFromStatus(error, options))
    }
    const call = openCall(() => method(request, metadataOf(options), grpcOptionsOf(options), done))
    signal?.addEventListener('abort', cancel, { once: true })
  })
  try {
    return await answer
  } catch (error) {
    throw withCallersFrames(error)
  }
}
