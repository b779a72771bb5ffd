/** The record of what administrators do. */
import type { ForeignAct } from '../domain/foreign-act.ts'

export interface RecordedAct extends ForeignAct {
  /** Grows from each to the next. */
  readonly id: number
  readonly time: Date
}

/** Keeps a record of what administrators do with what is not theirs. */
export interface ActStore {
  record(act: ForeignAct): Promise<void>
  /** Newest first, those below `before` of the page; what is undefined selects nothing. */
  list(
    namespace: string,
    filter: {
      readonly user: string | undefined
      readonly from: Date | undefined
      readonly before: Date | undefined
    },
    page: { readonly size: number; readonly before: number | undefined },
  ): Promise<RecordedAct[]>
  /** Removes at most `limit` that are older; how many it removed. */
  forget(olderMs: number, limit: number): Promise<number>
}
