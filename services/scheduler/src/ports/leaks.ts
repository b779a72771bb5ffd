/** Leak tracking as it is stored. */
import type { ActBy } from '../domain/act.ts'
import type { LeakFigures, ReportedFigures, TrackedRuns } from '../domain/leaks.ts'

export interface LeakStore {
  /**
   * Tracks runs of the names from now on for so long; what was known of those that were not tracked is forgotten. False, and nothing is
   * changed, where more than `max` of the namespace would be tracked then.
   */
  track(
    namespace: string,
    names: readonly string[],
    durationMs: number,
    max: number,
    by: ActBy,
  ): Promise<boolean>
  /** Ends that for the names; undefined: for all. */
  stop(namespace: string, names: readonly string[] | undefined, by: ActBy): Promise<void>
  /** What is tracked, by namespace and name. */
  tracked(): Promise<(TrackedRuns & { readonly namespace: string })[]>
  /**
   * What a reporter knows now, in the place of what it knew; names that are not tracked, nor were a moment ago, are passed over, and what was
   * found before they were tracked anew.
   */
  record(namespace: string, reporter: string, figures: readonly ReportedFigures[]): Promise<void>
  /** What each reporter has told of the names that are tracked or were within a day, by name; at most `limit` of them, the newest. */
  list(namespace: string, limit: number): Promise<LeakFigures[]>
  /** Forgets what is older than a day. */
  forget(): Promise<void>
}
