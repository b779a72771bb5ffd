import type { Retention } from '../domain/retention.ts'
import type { RetentionCut } from '../domain/retention-cut.ts'

/** Finished jobs of one kind that ended alike. */
export interface FinishedGroup {
  readonly namespace: string
  readonly kind: Retention['kind']
  readonly state: Retention['state']
}

/** What retention would remove of one kind and end. */
export interface ExpiredJobs extends Omit<FinishedGroup, 'namespace'> {
  /** Of all that are there; pinned ones are not counted. */
  readonly keptCount: number
  readonly expiredCount: number
  /** When the oldest ended. */
  readonly oldest: Date
}

/** Some pages of the table of jobs, the first and the one after the last. */
export interface TablePart {
  readonly fromPage: number
  readonly toPage: number
}

/** What a part of the table has of a group, and the rule in force for it. Times are in microseconds since 1970. */
export interface FoundPart extends FinishedGroup {
  readonly count: number
  /** When the oldest and the newest ended. */
  readonly oldest: number
  readonly newest: number
  /** Undefined: any number. */
  readonly countMax: number | undefined
  /** What ended before is kept no longer. */
  readonly expiredBefore: number
}

/** Finished jobs as retention looks at them; pinned ones it does not see. */
export interface RetentionStore {
  /** Whether this one is to sweep: it has before, or nobody has for so long. To be said again and again by who sweeps. */
  beginSweep(sweeper: string, lapsedMs: number): Promise<boolean>
  /** How many the table of jobs has. */
  pages(): Promise<number>
  count(part: TablePart): Promise<FoundPart[]>
  /** How many jobs of the group are in each interval of the cut, by when that begins; none where it is empty. */
  countIntervals(
    part: TablePart,
    group: FinishedGroup,
    cut: RetentionCut,
  ): Promise<Map<number, number>>
  /** Removes at most `limit` that ended before, but what somebody else is at; how many. */
  remove(part: TablePart, group: FinishedGroup, before: number, limit: number): Promise<number>
  /** Of each rule that has finished jobs; undefined when it took too long. */
  preview(
    namespace: string,
    rules: readonly Retention[],
    limitMs?: number,
  ): Promise<ExpiredJobs[] | undefined>
}
