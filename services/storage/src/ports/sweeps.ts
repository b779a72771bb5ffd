/** What ends by itself, and the clock that it goes by. */
import type { StoreIdentity } from './blobs.ts'
import type { GoneValue } from './values.ts'

/** What ends by itself. Each takes at most `limit`, so that no statement is long. */
export interface SweepStore {
  identity(): Promise<StoreIdentity>
  /** Takes this store for the database's, unless it has one; resolves to the one it has. */
  adoptStore(storeId: string): Promise<string>
  closeExpiredScopes(limit: number): Promise<number>
  /** Of values past their end, and of closed scopes. */
  deleteEndedValues(limit: number): Promise<GoneValue[]>
  deleteEndedUploads(limit: number): Promise<number>
  forgetPuts(limit: number): Promise<number>
  forgetScopes(closedForMs: number, limit: number): Promise<number>
  forgetUsage(limit: number): Promise<number>
  garbageBlobs(limit: number): Promise<string[]>
  forgetGarbage(blobIds: readonly string[]): Promise<void>
  /** Has them come after all other garbage. */
  postponeGarbage(blobIds: readonly string[]): Promise<void>
  /** Those of the blobs that neither a value nor an upload points to, and nobody can be writing. */
  unreferenced(blobIds: readonly string[]): Promise<string[]>
}

/**
 * The database's clock, when it was put back: due times lie further ahead than they can then, and what
 * nobody keeps alive would outlive its end by as much.
 */
export interface ClockStore {
  /** By how much the clock is behind what was seen of it before; 0: it is not. */
  putBackMs(): Promise<number>
  /** Brings up to `limit` due times back to what they can be at most; resolves to how many. */
  bringBack(limit: number): Promise<number>
  /** The clock is right as it is, if it was not put back further than what was seen. */
  accept(putBackMs: number): Promise<void>
}
