/**
 * The port through which blocking calls announce themselves. A client call, a modal dialog, a long
 * computation takes a mark when it begins and gives it back when it ends; while a mark is out, the client
 * is not idle and no idle handler runs (row I2).
 */

import { reportListenerError } from './failure-report.ts'

/** What an idle-handler table asks of whoever knows about calls in progress. */
export interface ActivitySource {
  /** Whether a blocking call is in progress. */
  readonly busy: boolean
  /** Calls back each time `busy` turns from true to false, until disposed. */
  onIdle(listener: () => void): Disposable
}

/** A blocking call in progress. */
export interface BlockingCall extends Disposable {
  /** The call is over. Ending twice is nothing. */
  end(): void
}

/**
 * The ready-made source: blocking calls begin and end on it. Calls may overlap and nest. What a listener throws or
 * rejects with goes to `reportError`, or to the console where there is none (Node); neither the call that ends
 * nor another listener notices.
 */
export interface Activity extends ActivitySource {
  /** Announces a call; it lasts until `end()`, or the end of the block with `using`. */
  begin(): BlockingCall
  /** Announces a call for as long as the function runs and its promise is pending; passes on its outcome. */
  during<T>(call: () => T | PromiseLike<T>): Promise<T>
}

/**
 * Creates an activity. One can be shared by several tables and all clients of a process: a call announced
 * on it holds all of them back. It keeps each of these tables in memory until the table is disposed.
 */
export function createActivity(): Activity {
  return new CountedActivity()
}

class CountedActivity implements Activity {
  readonly #calls = new Set<BlockingCall>()
  readonly #subscriptions = new Set<() => void>()

  get busy(): boolean {
    return this.#calls.size > 0
  }

  begin(): BlockingCall {
    const end = () => {
      if (this.#calls.delete(call) && !this.busy) this.#tellIdle()
    }
    const call: BlockingCall = { end, [Symbol.dispose]: end }
    this.#calls.add(call)
    return call
  }

  async during<T>(call: () => T | PromiseLike<T>): Promise<T> {
    const mark = this.begin()
    try {
      return await call()
    } finally {
      mark.end()
    }
  }

  onIdle(listener: () => void): Disposable {
    // A new function each time, so that the same listener subscribed twice is two subscriptions.
    const call = async () => listener()
    const subscription = () => void call().catch(reportListenerError)
    this.#subscriptions.add(subscription)
    return { [Symbol.dispose]: () => void this.#subscriptions.delete(subscription) }
  }

  #tellIdle(): void {
    for (const subscription of [...this.#subscriptions]) {
      // One that was told before may have disposed of it.
      if (this.#subscriptions.has(subscription)) subscription()
    }
  }
}
