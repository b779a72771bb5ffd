/** A promise of a caller's that it lives (rows L10, E3). Leases of executors are others: they are counted in rounds. */
import type { LeaseId } from './ids.ts'

export interface CallerLease {
  readonly id: LeaseId
  readonly owner: string
  readonly displayName: string
  /** How long it lives after a sign of life. */
  readonly durationMs: number
  readonly expireTime: Date
}
