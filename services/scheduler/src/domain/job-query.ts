/** What callers may ask about jobs, and what they are told. */
import type { FilterTerm } from '@offstage/proto/job-filter'
import type { Circumstances } from './gate.ts'
import type { JobView } from './job.ts'
import type { JobState } from './job-state.ts'
import type { Lane } from './lane.ts'
import type { StartEstimate } from './pace.ts'
import type { SeenExecutor } from './seen-executor.ts'

/** A job with what may be in its way. */
export interface JobCircumstances {
  readonly id: string
  readonly namespace: string
  readonly owner: string
  readonly method: string
  readonly state: JobState
  /** It runs in, by its own word or its method's. */
  readonly lane: Lane
  /** Empty: the default one. */
  readonly pool: string
  readonly place: Place
  /** Undefined where too little is known of how many began lately. */
  readonly estimate: StartEstimate | undefined
  /** Those that run its method, or did lately: first those that could take it. */
  readonly executors: readonly SeenExecutor[]
  readonly circumstances: Circumstances
}

/** How many jobs begin before it. */
export interface Place {
  readonly ahead: number
  /** Counting ended before all were counted. */
  readonly isMinimum: boolean
}

/** Of several terms of one field any has to hold, of different fields all; none selects every job. */
export type JobFilter = readonly FilterTerm[]

/** Where a filter looks. */
export interface JobScope {
  readonly namespace: string
  /** Only at jobs of this owner; undefined: of any. */
  readonly owner: string | undefined
}

/** What jobs are counted by. */
export type JobDimension = 'state' | 'method' | 'createMinute'

/** How many jobs have these values; undefined where they are not counted by. */
export interface JobCount {
  readonly state: JobState | undefined
  readonly method: string | undefined
  /** Its beginning. */
  readonly createMinute: Date | undefined
  readonly count: number
}

export interface JobPage {
  readonly size: number
  /** Goes on below this id. */
  readonly before: string | undefined
  readonly view: JobView
}
