import type { HandlerThread } from './handler-thread.ts'

/**
 * Ends threads that hold more memory than they may, heap and what is outside of it together: V8 itself counts only the heap, and a
 * Buffer is outside. One that is over the limit at two looks in a row is ended, since what is over may be garbage at one.
 */
export class MemoryWatch {
  readonly #over = new WeakSet<HandlerThread>()

  /** Asks a thread, however busy it is; what it finds it does later. */
  look(thread: HandlerThread): void {
    void this.#look(thread)
  }

  async #look(thread: HandlerThread): Promise<void> {
    const memory = await thread.memory()
    if (memory === undefined) return
    const { usedBytes, limitBytes, holder, limitedBy } = memory
    if (usedBytes <= limitBytes) this.#over.delete(thread)
    else if (!this.#over.has(thread)) this.#over.add(thread)
    else {
      const [used, limit] = [usedBytes, limitBytes].map((bytes) => Math.round(bytes / 2 ** 20))
      thread.endFor(
        `The ${holder} held ${used} MiB, in its heap and outside of it, more than the ${limit} MiB it may (${limitedBy}).`,
      )
    }
  }
}
