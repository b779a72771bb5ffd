/** Acts of operators and administrators, on record. */
import type { Act } from '../domain/act.ts'

/** Which acts are listed; what is empty or undefined selects nothing. */
export interface ActFilter {
  readonly user: string
  readonly from: Date | undefined
  readonly before: Date | undefined
}

export interface RecordedAct extends Act {
  /** Grows from each to the next. */
  readonly id: number
  readonly time: Date
}

export interface ActStore {
  /** For what changes nothing; what does is recorded with the change. */
  record(act: Act): Promise<void>
  /** Newest first, those below `before`. */
  list(
    namespace: string,
    filter: ActFilter,
    page: { readonly size: number; readonly before: number | undefined },
  ): Promise<RecordedAct[]>
  /** Removes at most `limit` that are older; how many it removed. */
  forget(olderMs: number, limit: number): Promise<number>
}
