import { type Database, openPostgres } from '@offstage/kit/database'
import { startPostgres } from '@offstage/testkit'
import { afterAll } from 'vitest'
import { type SetupOptions, setup } from './setup.ts'

const postgres = await startPostgres()
afterAll(() => postgres[Symbol.asyncDispose]())

/**
 * A scheduler over a fresh PostgreSQL database, with short leases and sweeps. `between` stands between the two.
 */
export async function start(
  options: SetupOptions & { readonly between?: (database: Database) => Database } = {},
) {
  const url = await postgres.createDatabase()
  const opened = await openPostgres({ url, poolSize: 4 })
  const database = options.between?.(opened) ?? opened
  const config = { sessionLeaseMs: 600, claimSweepMs: 200, waitSweepMs: 200, dueSweepMs: 50 }
  const bundle = await setup({ database, ...options, config: { ...config, ...options.config } })
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
