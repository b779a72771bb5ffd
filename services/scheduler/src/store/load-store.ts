import type { Database } from '@offstage/kit/database'
import type { Load } from '../domain/load.ts'
import type { LoadStore } from '../ports/load.ts'
import { withinTime } from './job-filter.ts'
import { readQueueLoad } from './read-queue-load.ts'
import { readSlotLoad } from './read-slot-load.ts'

export interface LoadTerms {
  /** How long counting all that is queued may take. Default 1 s. */
  readonly exactMs?: number
  /** Where it took longer, counting stops here in each pool, lane and priority of a method. Default 1,000. */
  readonly countMax?: number
}

export function createLoadStore(
  database: Database,
  { exactMs = 1_000, countMax = 1_000 }: LoadTerms = {},
): LoadStore {
  const read = (limitMs: number | undefined, max: number | null): Promise<Load | undefined> =>
    withinTime(database, limitMs, async (tx) => ({
      exact: max === null,
      queues: await readQueueLoad(tx, max),
      ...(await readSlotLoad(tx)),
    }))
  return { read: async () => (await read(exactMs, null)) ?? (await read(undefined, countMax)) }
}
