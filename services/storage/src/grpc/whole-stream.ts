import { setImmediate as nextTurn } from 'node:timers/promises'

/**
 * The items of a request stream; throws the signal's reason instead of ending when the stream was cut
 * off. To grpc-js a cancelled stream first looks like one that was ended well, and only some ticks
 * later like a cancelled one: taken for the end, half a value would be stored as a whole one.
 */
export async function* wholeStream<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  yield* items
  await nextTurn()
  signal.throwIfAborted()
}
