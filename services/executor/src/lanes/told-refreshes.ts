/** Reusable values that were refreshed are refreshed on each thread of the executor. */
import type { RefreshScope } from '../domain/refresh-scope.ts'
import type { RefreshesElsewhere } from '../ports.ts'
import type { HandlerThread } from './handler-thread.ts'
import type { Lane } from './lane.ts'
import type { RefreshAsk } from './thread-messages.ts'

export class ToldRefreshes {
  readonly #lanes: ReadonlyMap<string, Lane>
  readonly #elsewhere: RefreshesElsewhere

  constructor(lanes: ReadonlyMap<string, Lane>, elsewhere: RefreshesElsewhere) {
    this.#lanes = lanes
    this.#elsewhere = elsewhere
  }

  /** What a thread has refreshed the others are told at once, and other processes before it is answered. */
  async heard(thread: HandlerThread, ask: RefreshAsk): Promise<void> {
    if ('scope' in ask) this.tell(ask.scope, thread)
    const fault =
      'scope' in ask
        ? await this.#elsewhere.passOn(ask.scope)
        : await this.#elsewhere.reach(ask.epoch)
    if (!thread.usable) return
    const { epoch } = this.#elsewhere
    thread.answerRefresh({ id: ask.id, epoch, ...(fault !== undefined && { fault }) })
  }

  /** All threads are told but the one that says so. */
  tell(scope: RefreshScope, by?: HandlerThread): void {
    for (const lane of this.#lanes.values()) {
      for (const thread of lane.threads)
        if (thread !== by && thread.usable) thread.refreshes.tell(scope)
    }
  }
}
