import { type Database, openPostgres } from '@offstage/kit/database'
import { startPostgres, type TestPostgres } from '@offstage/testkit'
import type { SqlStartListener } from '../ports/sql-starts.ts'
import { sharedDatabase } from '../store/databases.ts'
import { listenForSqlStarts } from '../store/sql-start-notices.ts'
import { type SetupOptions, setup } from './setup.ts'

/** A database takes some 8 MB, and to drop one takes longer than to make it. */
const DATABASES_MAX = 50

/** Of all test files that share a process, one after the other. It ends with the process, if not before. */
let server: Promise<TestPostgres> | undefined
let made = 0
let inUse = 0

async function createDatabase(): Promise<string> {
  if (inUse === 0 && made >= DATABASES_MAX) {
    await (await server)?.[Symbol.asyncDispose]()
    server = undefined
    made = 0
  }
  inUse += 1
  made += 1
  server ??= startPostgres()
  return (await server).createDatabase()
}

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
  const url = await createDatabase()
  const opened = await openPostgres({ url, poolSize: 4 })
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
      inUse -= 1
    },
  }
}
