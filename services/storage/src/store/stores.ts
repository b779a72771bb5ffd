import type { Database } from '@offstage/kit/database'
import type { Quotas } from '../domain/limits.ts'
import type {
  ActStore,
  ClockStore,
  ScopeStore,
  SweepStore,
  UploadStore,
  ValueStore,
  WriterStore,
} from '../ports.ts'
import { createActStore } from './act-store.ts'
import { createClockStore } from './clock-store.ts'
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
  readonly acts: ActStore
}

export function createStores(database: Database, quotas: Quotas): StorageStores {
  return {
    values: createValueStore(database, quotas),
    scopes: createScopeStore(database),
    uploads: createUploadStore(database),
    writers: createWriterStore(database),
    sweeps: createSweepStore(database),
    clock: createClockStore(database),
    acts: createActStore(database),
  }
}
