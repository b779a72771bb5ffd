import { type Database, openPostgres, type PostgresOptions } from '@offstage/kit/database'
import { createSharedDatabase } from '@offstage/testkit'
import { migrateStorage } from '../store/value-store.ts'

/** As a service leaves an empty database when it starts. */
async function migrated(url: string): Promise<void> {
  await using database = await openPostgres({ url, poolSize: 1 })
  await migrateStorage(database)
}

/** Of the PostgreSQL server that the tests of this process share; given back once it is closed. */
export async function openFreshDatabase(
  options: Omit<PostgresOptions, 'url'> = { poolSize: 10 },
): Promise<Database> {
  const fresh = await createSharedDatabase(migrated)
  const database = await openPostgres({ url: fresh.url, ...options })
  return {
    ...database,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await fresh[Symbol.asyncDispose]()
    },
  }
}
