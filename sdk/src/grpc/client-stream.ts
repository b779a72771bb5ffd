import type {
  ClientWritableStream,
  CallOptions as GrpcCallOptions,
  Metadata,
  ServiceError,
} from '@grpc/grpc-js'
import { type CallOptions, grpcOptionsOf, metadataOf } from './call-options.ts'
import { withCallersFrames } from './callers-frames.ts'
import { errorFromStatus } from './error-from-status.ts'
import { openCall } from './open-call.ts'
import { type RequestWriter, requestWriter } from './request-writer.ts'

/** A bound method of a generated client, e.g. `client.putValue.bind(client)`. */
export type ClientStreamMethod<Req, Res> = (
  metadata: Metadata,
  options: GrpcCallOptions,
  callback: (error: ServiceError | null, response: Res) => void,
) => ClientWritableStream<Req>

/**
 * Sends the requests, taking each only when there is room for it, and resolves to the one answer.
 * When the service answers before the last request, or the call is aborted, the rest is not taken: `return()` of the source is
 * called at once, also while a request is awaited. When `requests` throws the
 * call is cancelled and the same error is thrown.
 */
export async function callClientStream<Req, Res>(
  method: ClientStreamMethod<Req, Res>,
  requests: AsyncIterable<Req> | Iterable<Req>,
  options: CallOptions = {},
): Promise<Res> {
  const { signal } = options
  signal?.throwIfAborted()
  const over = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<Res>()
  const done = (error: ServiceError | null, response: Res) => {
    over.abort()
    if (!error) resolve(response)
    else reject(signal?.aborted ? signal.reason : errorFromStatus(error, options))
  }
  const stream = openCall(() => method(metadataOf(options), grpcOptionsOf(options), done))
  const cancel = () => stream.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  pump(requests, requestWriter(stream), over.signal).catch((error) => {
    reject(error)
    stream.cancel()
  })
  try {
    return await promise
  } catch (error) {
    throw withCallersFrames(error)
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

async function pump<Req>(
  requests: AsyncIterable<Req> | Iterable<Req>,
  writer: RequestWriter<Req>,
  over: AbortSignal,
): Promise<void> {
  const source = iteratorOf(requests)
  // At once, and not only when the next request has come: it may be long in coming.
  over.addEventListener('abort', () => void close(source))
  for (;;) {
    const { done, value } = await source.next()
    if (over.aborted) return
    if (done) break
    if (!writer.send(value)) await writer.drained()
  }
  writer.end()
}

type Source<Req> = AsyncIterator<Req> | Iterator<Req>

function iteratorOf<Req>(requests: AsyncIterable<Req> | Iterable<Req>): Source<Req> {
  return Symbol.asyncIterator in requests
    ? requests[Symbol.asyncIterator]()
    : requests[Symbol.iterator]()
}

/** The call is over: how the source takes it is no longer anybody's matter. */
async function close(source: Source<unknown>): Promise<void> {
  try {
    await source.return?.()
  } catch {}
}
