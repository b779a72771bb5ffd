import type { Readable } from 'node:stream'
import type { ServerCall } from './call-context.ts'
import { readable } from './unreadable.ts'

/**
 * Node's HTTP/2 client, and with it grpc-js, cancels a call by ending its side first and resetting the stream right after: the
 * server sees a good end, and some turns of the event loop later the cancel. Taken for the end, half a value would be stored
 * as a whole one. So the end is believed a few turns later, each of which reads what has come from the sockets. A reset held
 * up by the network can still be late; for values, what closes that gap is a writer that announces the size or the
 * SHA-256, or promises a trailer, as the SDK does. Other gRPC clients reset at once.
 */
const TURNS_UNTIL_ABORTED = 5

/**
 * The requests of a streaming call, one at a time: nothing is read ahead of the handler but what the
 * stream buffers. Unlike a stream's own iterator this one ends with the reason when the call is
 * aborted, and leaving it early does not destroy the stream, which may still carry answers.
 */
export async function* requestsOf<Req>(
  stream: Readable,
  context: ServerCall,
): AsyncGenerator<Req, void, undefined> {
  const { signal } = context
  let wake = () => {}
  const onChange = () => wake()
  stream.on('readable', onChange).on('end', onChange).on('close', onChange)
  signal.addEventListener('abort', onChange)
  try {
    for (;;) {
      signal.throwIfAborted()
      const request: Req | null = stream.read()
      if (request !== null) {
        yield readable(request)
        continue
      }
      if (stream.readableEnded || stream.destroyed) {
        for (let turn = 0; turn < TURNS_UNTIL_ABORTED; turn++) {
          await new Promise(setImmediate)
          signal.throwIfAborted()
        }
        return
      }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    stream.off('readable', onChange).off('end', onChange).off('close', onChange)
    signal.removeEventListener('abort', onChange)
  }
}
