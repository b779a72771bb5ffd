import { type Database, openPostgres, type PostgresOptions } from '@offstage/kit/database'
import { createSharedDatabase } from '@offstage/testkit'
import { migrateJobs } from '../store/tables.ts'

/** As a scheduler leaves an empty database when it starts. */
async function migrated(url: string): Promise<void> {
  await using database = await openPostgres({ url, poolSize: 1 })
  await migrateJobs(database)
}

/** The url of a PostgreSQL database as schedulers have it, of the server that the tests of this process share. */
export const createFreshDatabase = () => createSharedDatabase(migrated)

/** Opened, too, and given back once it is closed. */
export async function openFreshDatabase(
  options: Omit<PostgresOptions, 'url'>,
): Promise<Database & { readonly url: string }> {
  const fresh = await createFreshDatabase()
  const { url } = fresh
  const database = await openPostgres({ url, ...options })
  return {
    ...database,
    url,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await fresh[Symbol.asyncDispose]()
    },
  }
}
