import { setImmediate as immediate } from 'node:timers/promises'

/**
 * What a stream brings as chunks of this size at most, each worth a message: pieces are gathered for as long as the next is at hand, and
 * go off where it is waited for. They are copied, for who made one may write into it as soon as the next is asked for.
 *
 * @param bytesOf looks at a piece before it is taken
 */
export async function* gathered<T>(
  pieces: AsyncIterator<T>,
  chunkBytes: number,
  bytesOf: (piece: T) => Buffer,
): AsyncGenerator<Buffer, void, undefined> {
  let chunk = Buffer.alloc(0)
  let used = 0
  for (;;) {
    const coming = nextOf(pieces)
    if (used > 0 && !(await isAtHand(coming))) {
      yield chunk.subarray(0, used)
      chunk = chunk.subarray(used)
      used = 0
    }
    const { done, value } = await coming
    if (done) break
    const bytes = bytesOf(value)
    for (let at = 0; at < bytes.byteLength; ) {
      if (chunk.byteLength === 0) chunk = Buffer.allocUnsafe(chunkBytes)
      const copied = bytes.copy(chunk, used, at)
      at += copied
      used += copied
      if (used < chunk.byteLength) continue
      yield chunk
      chunk = chunk.subarray(used)
      used = 0
    }
  }
  if (used > 0) yield chunk.subarray(0, used)
}

/** Nobody may wait for it any more when it fails. */
function nextOf<T>(pieces: AsyncIterator<T>): Promise<IteratorResult<T, unknown>> {
  const coming = Promise.resolve(pieces.next())
  coming.catch(() => {})
  return coming
}

/** Whether it comes without anything from outside having to happen first. */
function isAtHand(coming: Promise<unknown>): Promise<boolean> {
  const yes = () => true
  return Promise.race([coming.then(yes, yes), immediate(false)])
}
