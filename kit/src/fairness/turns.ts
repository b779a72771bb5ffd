/**
 * Who may work now, where only so many may at once: callers in turn, so that the many wishes of one wait for each other and not
 * before those of others.
 *
 * Invariants:
 *  1. At most `atOnce` works run, and at most `perCaller` of one caller.
 *  2. Of the callers that wait, the one that was served longest ago is next; of one caller's works the first.
 *  3. Who would have more waiting than {@link hasShare} allows is refused at once.
 *  4. A work whose signal aborts while it waits is not done.
 *  5. Who need not wait pays no await: the work begins within the call.
 */

import { hasShare } from './has-share.ts'

export interface TurnsOptions {
  readonly atOnce: number
  /** Default: `atOnce`. */
  readonly perCaller?: number
  readonly waitingMax: number
  /** What is thrown at a caller who has too much waiting. */
  refuse(): Error
}

/** A call or the like. */
interface Wanted {
  readonly signal: AbortSignal
}

interface Waiting {
  readonly begin: () => void
}

export class Turns {
  readonly #options: TurnsOptions
  readonly #running = new Map<string, number>()
  /** Callers in the order they are served. */
  readonly #queues = new Map<string, Set<Waiting>>()
  #busy = 0
  #waiting = 0

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting
  }

  /** @param wanted is asked for its signal only where the work has to wait */
  take<T>(caller: string, wanted: Wanted | undefined, work: () => Promise<T>): Promise<T> {
    if (!this.#isFree(caller)) {
      return this.#turn(caller, wanted?.signal).then(() => this.#run(caller, work))
    }
    this.#enter(caller)
    return this.#run(caller, work)
  }

  #isFree(caller: string): boolean {
    const { atOnce, perCaller = atOnce } = this.#options
    return this.#busy < atOnce && (this.#running.get(caller) ?? 0) < perCaller
  }

  #enter(caller: string): void {
    this.#busy += 1
    this.#running.set(caller, (this.#running.get(caller) ?? 0) + 1)
  }

  async #run<T>(caller: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } finally {
      this.#busy -= 1
      const left = (this.#running.get(caller) ?? 1) - 1
      if (left > 0) this.#running.set(caller, left)
      else this.#running.delete(caller)
      this.#next()
    }
  }

  #turn(caller: string, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    const queue = this.#queues.get(caller) ?? new Set<Waiting>()
    if (
      !hasShare({
        max: this.#options.waitingMax,
        waiting: this.#waiting,
        callers: this.#queues.size,
        own: queue.size,
        more: 1,
      })
    ) {
      return Promise.reject(this.#options.refuse())
    }
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#leave(caller, queue, waiting)
        reject(signal?.reason)
      }
      const begin = () => {
        this.#enter(caller)
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const waiting = { begin }
      queue.add(waiting)
      this.#queues.set(caller, queue)
      this.#waiting += 1
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  #leave(caller: string, queue: Set<Waiting>, waiting: Waiting): void {
    if (!queue.delete(waiting)) return
    this.#waiting -= 1
    if (queue.size === 0 && this.#queues.get(caller) === queue) this.#queues.delete(caller)
  }

  #next(): void {
    for (const [caller, queue] of this.#queues) {
      if (!this.#isFree(caller)) continue
      const [waiting] = queue
      if (waiting === undefined) continue
      this.#leave(caller, queue, waiting)
      if (queue.size > 0) {
        this.#queues.delete(caller)
        this.#queues.set(caller, queue)
      }
      waiting.begin()
      return
    }
  }
}
