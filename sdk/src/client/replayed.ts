/** How many bytes may be kept: about what is under way before a service has looked at who calls, and little beside what a process needs. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

/**
 * What a source that can be read once has brought so far, kept for as long as it is little: so that a call which is refused
 * before anything of it was taken, or is interrupted, can be made again.
 */
export class Replayed<T> {
  readonly #source: AsyncIterator<T, void, undefined>
  readonly #bytesOf: (item: T) => number
  readonly #taken: T[] = []
  #bytes = 0
  #isWhole = true
  #failure: { readonly error: unknown } | undefined
  /** The item that is being brought, whichever reader asked for it. */
  #coming: Promise<IteratorResult<T, void>> | undefined

  constructor(source: AsyncIterator<T, void, undefined>, bytesOf: (item: T) => number) {
    this.#source = source
    this.#bytesOf = bytesOf
  }

  /** Whether all of it can be read again. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Reads from the beginning. One reader at a time; giving one up leaves the source open. */
  read(): AsyncIterable<T> {
    let at = 0
    const reader: AsyncIterator<T, void, undefined> = {
      next: async () => {
        const taken = this.#taken[at]
        if (!this.#isWhole || at >= this.#taken.length) return this.#advance(() => at++)
        at += 1
        return { done: false, value: taken as T }
      },
      return: async () => ({ done: true, value: undefined }),
    }
    return { [Symbol.asyncIterator]: () => reader }
  }

  async #advance(onItem: () => void): Promise<IteratorResult<T, void>> {
    if (this.#bytes > KEPT_BYTES_MAX) {
      this.#isWhole = false
      this.#taken.length = 0
    }
    this.#coming ??= this.#bring()
    const result = await this.#coming
    onItem()
    return result
  }

  /** A source that has failed would look as if it had ended to whoever asks it again. */
  async #bring(): Promise<IteratorResult<T, void>> {
    if (this.#failure !== undefined) throw this.#failure.error
    try {
      const result = await this.#source.next()
      if (!result.done && this.#isWhole) {
        this.#taken.push(result.value)
        this.#bytes += this.#bytesOf(result.value)
      }
      return result
    } catch (error) {
      this.#failure = { error }
      throw error
    } finally {
      this.#coming = undefined
    }
  }
}
