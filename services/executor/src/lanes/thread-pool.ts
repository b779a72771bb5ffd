import type { HandlerThread } from './handler-thread.ts'

/** Well below the places for claims of a thread. */
const LOAD_MAX = 200_000

/** Threads that run any number of attempts each, so many threads at most. */
export class ThreadPool {
  readonly #threads = new Set<HandlerThread>()
  readonly #threadsMax: number

  constructor(threadsMax: number) {
    this.#threadsMax = threadsMax
  }

  /** An idle thread, else the one with the fewest attempts; undefined where a new one may be added. */
  pick(): HandlerThread | undefined {
    let best: HandlerThread | undefined
    let usable = 0
    for (const thread of this.#threads) {
      if (!thread.usable || thread.load >= LOAD_MAX) continue
      usable += 1
      if (best === undefined || thread.load < best.load) best = thread
    }
    return best?.load === 0 || usable >= this.#threadsMax ? best : undefined
  }

  add(thread: HandlerThread): void {
    this.#threads.add(thread)
  }

  delete(thread: HandlerThread): boolean {
    return this.#threads.delete(thread)
  }

  /** Whether another thread waits idle beside this one. */
  hasSpare(thread: HandlerThread): boolean {
    for (const other of this.#threads) {
      if (other !== thread && other.usable && other.load === 0) return true
    }
    return false
  }
}
