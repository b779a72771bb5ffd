import { type Database, openConfiguredPostgres, type Patience } from '@offstage/kit/database'
import { Resources, type Service } from '@offstage/kit/lifecycle'
import type { SqlStartListener } from '../ports/sql-starts.ts'
import { listenForSqlStarts } from './sql-start-notices.ts'

/** One database by four sets of connections, so that no flood of calls keeps executors from being heard. */
export interface SchedulerDatabases {
  /** For what callers ask: starts, reads, cancels. */
  readonly calls: Database
  /** For listings and counts, which may take seconds each. */
  readonly listings: Database
  /** For results, reports, claims and sweeps. */
  readonly work: Database
  /** For leases, and for attaching, which takes half of them at most. */
  readonly leases: Database
  /** Reads and cancels at once: what starts need of `calls` stays theirs. */
  readonly readsAtOnce: number
  readonly listingsAtOnce: number
  /** Undefined where nobody but the scheduler comes to the database, as with PGlite. */
  readonly listen?: (listener: SqlStartListener) => Service
}

/** Of `calls`: batches of starts and of reads for those who wait, and the sweep for them. */
const CONNECTIONS_FOR_STARTS = 6
const LISTING_CONNECTIONS = 3

/** All that the results, reports, claims and sweeps of one replica run at once, but for the rarest. */
const WORK_CONNECTIONS = 7
const LEASE_CONNECTIONS = 4

export interface DatabaseConfig {
  readonly databaseUrl: string
  readonly databasePasswordFile?: string
  readonly databasePoolSize: number
}

export async function openDatabases(
  { databaseUrl, databasePasswordFile, databasePoolSize }: DatabaseConfig,
  onError: (error: unknown) => void,
  patience: Patience = {},
): Promise<SchedulerDatabases & AsyncDisposable> {
  await using opened = new Resources()
  const open = async (poolSize: number, name: string) =>
    opened.use(
      await openConfiguredPostgres(
        'OFFSTAGE_SCHEDULER_DATABASE_URL',
        {
          url: databaseUrl,
          passwordFile: databasePasswordFile,
          poolSize,
          applicationName: `offstage-scheduler${name}`,
          onError,
        },
        patience,
      ),
    )
  const calls = await open(databasePoolSize, '')
  const listings = await open(LISTING_CONNECTIONS, '-listings')
  const work = await open(WORK_CONNECTIONS, '-work')
  const leases = await open(LEASE_CONNECTIONS, '-leases')
  const kept = opened.move()
  return {
    ...{ calls, listings, work, leases },
    readsAtOnce: Math.max(1, databasePoolSize - CONNECTIONS_FOR_STARTS),
    listingsAtOnce: LISTING_CONNECTIONS,
    listen: (listener) => listenForSqlStarts({ databaseUrl, databasePasswordFile }, listener),
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  }
}

/** Where there is but one connection, as with PGlite, no more can be set apart than who is next. */
export function sharedDatabase(database: Database): SchedulerDatabases {
  const all = { calls: database, listings: database, work: database, leases: database }
  return { ...all, readsAtOnce: 2, listingsAtOnce: 1 }
}
