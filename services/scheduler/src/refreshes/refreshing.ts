/** Refreshes of reusable values: what callers may ask of them, and who watches them here, wired to what they need. */
import type { Service } from '@offstage/kit/lifecycle'
import type { Measures } from '@offstage/kit/telemetry'
import { createHints } from '../events/hints.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import { refreshMeasures } from './measures.ts'
import { RefreshFeed } from './refresh-feed.ts'
import { createRefreshes, type Refreshes } from './refreshes.ts'

export interface RefreshingOptions {
  readonly stores: Pick<SchedulerStores, 'refreshes' | 'workRefreshes'>
  readonly events: JobEvents
}

export interface Refreshing {
  readonly refreshes: Refreshes
  /** Swept: tells those who watch here. */
  readonly feed: RefreshFeed
  /** Hears what is refreshed on other replicas. */
  readonly hints: Service
  readonly measures: Measures
}

export function createRefreshing({ stores, events }: RefreshingOptions): Refreshing {
  const feed = new RefreshFeed(stores.workRefreshes)
  const refreshes = createRefreshes({ store: stores.refreshes, feed, events })
  return {
    refreshes,
    feed,
    hints: createHints('refresh hints', () => events.onRefreshed(feed.changed)),
    measures: refreshMeasures(refreshes, feed),
  }
}
