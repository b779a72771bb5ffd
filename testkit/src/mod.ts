export {
  type Authority,
  createAuthority,
  createPemFolder,
  type Issued,
  type IssueOptions,
  type PemFolder,
} from './certificates.ts'
export { type Chance, createChance } from './chance.ts'
export type { Exit } from './child.ts'
export { freePort } from './free-port.ts'
export {
  startTestIssuer,
  type TestIssuer,
  type TestIssuerOptions,
  type TestTokenOptions,
} from './issuer.ts'
export { startNats, type TestNats, type TestNatsOptions } from './nats.ts'
export { createNatsUser, type NatsUser } from './nats-user.ts'
export {
  type PostgresStopMode,
  startPostgres,
  type TestPostgres,
  type TestPostgresOptions,
} from './postgres.ts'
export { programOf } from './program-of.ts'
export { pythonWith } from './python.ts'
export { type Ask, resetTo, type Snapshot, snapshotOf } from './row-reset.ts'
export { type Scrape, scrape, scrapeOf } from './scrape.ts'
export { createSharedDatabase, type Prepare, type SharedDatabase } from './shared-postgres.ts'
export { type SpawnedProcess, type SpawnProcessOptions, spawnProcess } from './spawn-process.ts'
export { HTTP2_WINDOW_BYTES, openStalledReader, type StalledReader } from './stalled-reader.ts'
export { until } from './until.ts'
