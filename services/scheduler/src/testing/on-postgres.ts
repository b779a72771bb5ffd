import type { Database } from '@offstage/kit/database'
import type { SqlStartListener } from '../ports/sql-starts.ts'
import { sharedDatabase } from '../store/databases.ts'
import { listenForSqlStarts } from '../store/sql-start-notices.ts'
import { openFreshDatabase } from './fresh-database.ts'
import { type SetupOptions, setup } from './setup.ts'

/**
 * A scheduler over a fresh PostgreSQL database, with short leases and sweeps. `between` stands between the two.
 */
export async function start(
  options: SetupOptions & {
    readonly between?: (database: Database) => Database
    /** Whether it is told of what is started by SQL. Default: it has to look for it. */
    readonly listens?: boolean
  } = {},
) {
  const opened = await openFreshDatabase({ poolSize: 4 })
  const { url } = opened
  const database = options.between?.(opened) ?? opened
  const config = { sessionLeaseMs: 600, claimSweepMs: 200, waitSweepMs: 200, dueSweepMs: 50 }
  const databases = {
    ...sharedDatabase(database),
    listen: (listener: SqlStartListener) => listenForSqlStarts({ databaseUrl: url }, listener),
  }
  const own = options.listens ? { databases } : {}
  const bundle = await setup({
    database,
    ...own,
    ...options,
    config: { ...config, ...options.config },
  })
  return {
    ...bundle,
    /** Of its database. */
    url,
    address: bundle.scheduler.address,
    async [Symbol.asyncDispose]() {
      await bundle[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}
