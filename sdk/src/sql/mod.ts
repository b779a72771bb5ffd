/** Starts inside a transaction of the caller's own, in the database that Offstage keeps its jobs in (row J24). */
export type { SqlClient } from './sql-client.ts'
export type { SqlStartManyOptions, SqlStartOptions } from './sql-options.ts'
export { startJobIn, startJobsIn } from './start-job-in.ts'
