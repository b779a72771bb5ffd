import type { HandlerThread } from './handler-thread.ts'

/**
 * How many threads of a lane may do nothing but keep attempts that wait for children, before others run there too; as many as the lane
 * has slots where those are more. A thread takes ten megabytes and a tenth of a second to start, an attempt that waits a few ten kilobytes.
 */
export const RESTING_THREADS = 4

/**
 * The threads of a lane that run one attempt at a time, as far as attempts on them wait for children (row J11): which of them could run
 * another one meanwhile.
 *
 * 1. A thread rests while all attempts on it wait, at least one.
 * 2. Nothing is quadratic: each change costs the same, however many wait.
 */
export class RestingThreads {
  readonly #waiting = new Map<HandlerThread, number>()
  /** In the order in which they came to rest. */
  readonly #resting = new Set<HandlerThread>()
  readonly #max: number

  /** @param slots of the lane */
  constructor(slots: number) {
    this.#max = Math.max(RESTING_THREADS, slots)
  }

  /** How many threads may be kept like this, of a sort. */
  get max(): number {
    return this.#max
  }

  /** One of its attempts begins to wait. */
  wait(thread: HandlerThread): void {
    this.#waiting.set(thread, (this.#waiting.get(thread) ?? 0) + 1)
    this.look(thread)
  }

  /** One that waited goes on, or has ended. */
  goOn(thread: HandlerThread): void {
    const left = (this.#waiting.get(thread) ?? 0) - 1
    if (left > 0) this.#waiting.set(thread, left)
    else this.#waiting.delete(thread)
    this.look(thread)
  }

  /** What runs on it has changed. */
  look(thread: HandlerThread): void {
    const waiting = this.#waiting.get(thread) ?? 0
    if (waiting > 0 && waiting === thread.load) this.#resting.add(thread)
    else this.#resting.delete(thread)
  }

  /** One to run an attempt beside those that wait there, the one that has rested longest; undefined while there are few. */
  pick(): HandlerThread | undefined {
    if (this.#resting.size < this.#max) return undefined
    for (const thread of this.#resting) if (thread.usable) return thread
    return undefined
  }

  /** It is given nothing more. */
  forget(thread: HandlerThread): void {
    this.#waiting.delete(thread)
    this.#resting.delete(thread)
  }
}
