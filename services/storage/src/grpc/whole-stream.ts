/**
 * Tells a request stream that was ended from one that was cancelled.
 *
 * Node's HTTP/2 client, and with it grpc-js, cancels a call by ending its side first and resetting the
 * stream right after: the server sees a good end, and some turns of the event loop later the cancel.
 * Taken for the end, half a value would be stored as a whole one. So the end is believed a few turns
 * later, each of which reads what has come from the sockets. A reset held up by the network can still
 * be late; what closes that gap is a writer that announces the size or the SHA-256, or promises a
 * trailer, as the SDK does. Other gRPC clients reset at once.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'

const TURNS = 5

/** The items of the stream; throws the signal's reason in place of an end that was none. */
export async function* wholeStream<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  yield* items
  for (let turn = 0; turn < TURNS; turn++) {
    await nextTurn()
    signal.throwIfAborted()
  }
}
