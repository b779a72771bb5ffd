import { type Database, openConfiguredPostgres } from '@offstage/kit/database'

/** One database by three sets of connections, so that no flood of calls keeps executors from being heard. */
export interface SchedulerDatabases {
  /** For what callers ask: starts, reads, listings, cancels. */
  readonly calls: Database
  /** For results, reports, claims and sweeps. */
  readonly work: Database
  /** For leases, and for attaching, which takes half of them at most. */
  readonly leases: Database
}

/** All that the results, reports, claims and sweeps of one replica run at once, but for the rarest. */
const WORK_CONNECTIONS = 6
const LEASE_CONNECTIONS = 4

export interface DatabaseConfig {
  readonly databaseUrl: string
  readonly databasePasswordFile?: string
  readonly databasePoolSize: number
}

export async function openDatabases(
  { databaseUrl, databasePasswordFile, databasePoolSize }: DatabaseConfig,
  onError: (error: unknown) => void,
): Promise<SchedulerDatabases & AsyncDisposable> {
  await using opened = new AsyncDisposableStack()
  const open = async (poolSize: number, name: string) =>
    opened.use(
      await openConfiguredPostgres('OFFSTAGE_SCHEDULER_DATABASE_URL', {
        url: databaseUrl,
        passwordFile: databasePasswordFile,
        poolSize,
        applicationName: `offstage-scheduler${name}`,
        onError,
      }),
    )
  const calls = await open(databasePoolSize, '')
  const work = await open(WORK_CONNECTIONS, '-work')
  const leases = await open(LEASE_CONNECTIONS, '-leases')
  const kept = opened.move()
  return { calls, work, leases, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** Where there is but one connection, as with PGlite, nothing can be set apart. */
export function sharedDatabase(database: Database): SchedulerDatabases {
  return { calls: database, work: database, leases: database }
}
