/** The requests until the signal aborts; then its reason is thrown, though a request may be awaited. */
export async function* untilAborted<T>(
  requests: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = requests[Symbol.asyncIterator]()
  // One rejection at a time hangs on the signal: a race would gather one for each frame of a stream's life.
  let fail: (reason: unknown) => void = () => {}
  signal.addEventListener('abort', () => fail(signal.reason), { once: true })
  while (true) {
    const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
      fail = reject
      if (signal.aborted) reject(signal.reason)
      iterator.next().then(resolve, reject)
    })
    if (next.done) return
    yield next.value
  }
}
