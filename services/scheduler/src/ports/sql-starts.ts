/** Jobs that applications start by SQL (row J24). */
import type { ChangedJob } from '../domain/held-job.ts'
import type { JobError } from '../domain/job.ts'
import type { CheckedStart, UncheckedStart } from '../domain/sql-start.ts'

/** Is told, as far as that can be, when transactions have committed that started jobs by SQL. */
export interface SqlStartListener {
  /** Jobs of a method were queued. */
  queued(namespace: string, method: string): void
  /** There are jobs to be looked at before they are queued. */
  unchecked(): void
  /** There is no word of them for a while. */
  onError(error: unknown): void
}

/** Those that are not queued yet. Both writes pass over what another replica has queued or failed. */
export interface SqlStartStore {
  readUnchecked(limit: number): Promise<UncheckedStart[]>
  queue(checked: readonly CheckedStart[]): Promise<ChangedJob[]>
  fail(failed: readonly { readonly id: string; readonly error: JobError }[]): Promise<ChangedJob[]>
}
