export type {
  Database,
  DatabaseStats,
  Queryable,
  QueryResult,
  Statement,
} from './database.ts'
export {
  constraintOf,
  isConnectionError,
  isRefusedConnection,
  isTransientError,
  sqlStateOf,
} from './errors.ts'
export { type MigrateOptions, type MigrationWatch, migrate } from './migrate.ts'
export { breaksOlder, loadMigrations, type Migration, MigrationError } from './migrations.ts'
export { createNotifications, type NotificationsOptions } from './notifications.ts'
export {
  namingDatabase,
  openConfiguredPostgres,
  type Patience,
  waitingFor,
} from './open-configured.ts'
export { openPglite, type PgliteOptions } from './pglite.ts'
export { openPostgres, type PostgresOptions } from './postgres.ts'
export { parsePostgresUrl, saysSslMode } from './postgres-url.ts'
export { preparedClusterName } from './prepared-cluster.ts'
