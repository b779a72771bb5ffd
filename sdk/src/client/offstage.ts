import type { JobCalls } from './job-calls.ts'
import type { StorageCalls } from './storage-calls.ts'

/** The client. */
export interface Offstage extends JobCalls, AsyncDisposable {
  readonly storage: StorageCalls
}
