import type { Measures } from '@offstage/kit/telemetry'
import type { RefreshFeed } from './refresh-feed.ts'
import type { Refreshes } from './refreshes.ts'

/** What this replica has to do with refreshes of reusable values. */
export function refreshMeasures(
  refreshes: Pick<Refreshes, 'recorded'>,
  feed: Pick<RefreshFeed, 'size' | 'healed'>,
): Measures {
  return {
    metrics: [
      {
        name: 'offstage_value_refreshes_total',
        help: 'Refreshes of reusable values that this replica recorded',
        kind: 'counter',
        read: () => refreshes.recorded,
      },
      {
        name: 'offstage_value_refreshes_healed_total',
        help: 'How often refreshes were found by the sweep that no hint had told of',
        kind: 'counter',
        read: () => feed.healed,
      },
      {
        name: 'offstage_value_refresh_watches',
        help: 'Clients and executors that this replica tells of refreshes',
        kind: 'gauge',
        read: () => feed.size,
      },
    ],
  }
}
