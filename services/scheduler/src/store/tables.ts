import { type Database, loadMigrations, type MigrationWatch, migrate } from '@offstage/kit/database'
import { createService, type Service } from '@offstage/kit/lifecycle'
import type { Logger } from '@offstage/kit/telemetry'

/** Brings the database to the shape this code works with. */
export async function migrateJobs(database: Database, watch: MigrationWatch = {}): Promise<void> {
  const migrations = await loadMigrations(new URL('./migrations', import.meta.url))
  await migrate(database, { schema: 'offstage', migrations, ...watch })
}

/** Started, the tables are there. */
export function createTables(database: Database, log: Logger): Service {
  return createService({
    name: 'job tables',
    start: (signal) => migrateJobs(database, { warn: (text) => log.warn(text), signal }),
    stop: async () => {},
  })
}
