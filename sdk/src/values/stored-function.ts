import type { Holdings } from './holdings.ts'
import type { RefreshScope } from './refresh.ts'
import type { ValuesStatistics } from './statistics.ts'

/** A reusable function, as the store of its values knows it. */
export interface StoredFunction {
  readonly policy: {
    readonly name: string
    /** How long values are of use after they were computed, asked for or not; Infinity for ever. */
    readonly maxAgeTicks: number
    readonly revalidateTicks: number
    readonly fallbackTicks: number
    /** How long after they were asked for last; Infinity for ever. */
    readonly idleTicks: number
  }
  readonly holdings: Holdings
  /** Drops what the scope covers. */
  refresh(scope: RefreshScope): void
  statistics(): ValuesStatistics
  close(): void
}
