/** Reusable values that are dropped everywhere (row C6): recorded in batches, and told by the feed. */
import { type RefreshNews, type RefreshScope, scopeKey } from '../domain/value-refresh.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { AskedRefresh, RefreshStore } from '../ports/refreshes.ts'
import { overloaded } from '../refusals.ts'
import { createBatcher } from '../statements/batcher.ts'
import type { RefreshFeed } from './refresh-feed.ts'

export interface Refreshes {
  /** The epoch it was recorded in. */
  refresh(user: string, namespace: string, scopes: readonly RefreshScope[]): Promise<number>
  /** What was refreshed after an epoch. */
  list(namespace: string, after: number): Promise<RefreshNews>
  /** The same, and then what is refreshed; ends with the reason of the signal. */
  watch(namespace: string, after: number, signal: AbortSignal): AsyncIterable<RefreshNews>
  /** How many were recorded by this replica. */
  readonly recorded: number
}

const BATCH_MAX = 1_000
const QUEUED_MAX = 20_000

export interface RefreshesOptions {
  readonly store: RefreshStore
  readonly feed: RefreshFeed
  readonly events: Pick<JobEvents, 'refreshed'>
}

export function createRefreshes({ store, feed, events }: RefreshesOptions): Refreshes {
  let recorded = 0
  const batcher = createBatcher<AskedRefresh, number>({
    async run(asked) {
      const epochs = await store.record(asked)
      recorded += asked.length
      for (const namespace of new Set(asked.map((each) => each.namespace))) {
        events.refreshed(namespace)
        feed.changed(namespace)
      }
      return epochs
    },
    maxItems: BATCH_MAX,
    maxQueued: QUEUED_MAX,
    overflow: () => overloaded('refreshes of reusable values'),
  })
  return {
    async refresh(user, namespace, scopes) {
      const distinct = new Map(scopes.map((scope) => [scopeKey(scope), scope]))
      const asked = [...distinct.values()].map((scope) => ({ namespace, scope }))
      return Math.max(...(await batcher.add(asked, user)))
    },
    async list(namespace, after) {
      const found = await store.read([{ namespace, epoch: after }])
      return found.get(namespace) ?? { epoch: after, all: false, refreshes: [] }
    },
    watch: (namespace, after, signal) => feed.watch(store, namespace, after, signal),
    get recorded() {
      return recorded
    },
  }
}
