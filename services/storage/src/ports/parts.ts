/** All that the use cases need from outside. */
import type { Quotas } from '../domain/limits.ts'
import type { ActStore } from './acts.ts'
import type { BlobStore } from './blobs.ts'
import type { Hints } from './hints.ts'
import type { ScopeStore } from './scopes.ts'
import type { UploadStore } from './uploads.ts'
import type { ValueStore } from './values.ts'
import type { BlobWriters } from './writers.ts'

/** All of it, as the use cases are given it. */
export interface StorageParts {
  readonly values: ValueStore
  readonly scopes: ScopeStore
  readonly uploads: UploadStore
  readonly blobs: BlobStore
  readonly writers: BlobWriters
  readonly hints: Hints
  readonly quotas: Quotas
  /** The largest value taken. */
  readonly valueBytesMax: number
  readonly uploadIdleMsMax: number
  readonly acts: ActStore
  /** Says that there may be blobs to remove. */
  garbageMade(): void
}
