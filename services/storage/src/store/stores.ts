import type { Database } from '@offstage/kit/database'
import type { OpenLimits, Quotas } from '../domain/limits.ts'
import type { ActStore } from '../ports/acts.ts'
import type { JobValueStore } from '../ports/job-values.ts'
import type { ScopeStore } from '../ports/scopes.ts'
import type { ClockStore, SweepStore } from '../ports/sweeps.ts'
import type { UploadStore } from '../ports/uploads.ts'
import type { ValueStore } from '../ports/values.ts'
import type { WriterStore } from '../ports/writers.ts'
import { createActStore } from './act-store.ts'
import { createClockStore } from './clock-store.ts'
import { createJobValueStore } from './job-value-store.ts'
import { createScopeStore } from './scope-store.ts'
import { createSweepStore } from './sweep-store.ts'
import { createUploadStore } from './upload-store.ts'
import { createValueStore } from './value-store.ts'
import { createWriterStore } from './writer-store.ts'

/** What the database holds, each part by itself. */
export interface StorageStores {
  readonly values: ValueStore
  readonly scopes: ScopeStore
  readonly uploads: UploadStore
  readonly writers: WriterStore
  readonly sweeps: SweepStore
  readonly clock: ClockStore
  readonly jobValues: JobValueStore
  readonly acts: ActStore
}

export function createStores(database: Database, limits: Quotas & OpenLimits): StorageStores {
  return {
    values: createValueStore(database, limits),
    scopes: createScopeStore(database, limits.ownerScopesMax),
    uploads: createUploadStore(database, limits.ownerUploadsMax),
    writers: createWriterStore(database),
    sweeps: createSweepStore(database),
    clock: createClockStore(database),
    jobValues: createJobValueStore(database),
    acts: createActStore(database),
  }
}
