/** A namespace that somebody has for themselves (row L10). */
import type { LeaseId } from './ids.ts'

export interface ExclusiveHolder {
  readonly owner: string
  readonly leaseId: LeaseId
  /** When it was asked for: other starts are refused since then. */
  readonly askTime: Date
  /** Nothing else runs since then; undefined while it is waited for. */
  readonly time: Date | undefined
  /** When the lease runs out, unless it is renewed. */
  readonly expireTime: Date
}

/** A job that exclusive mode waits for. */
export interface RunningJobOfOthers {
  readonly id: string
  readonly method: string
  readonly owner: string
  readonly ageMs: number
}
