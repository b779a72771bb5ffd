/** What callers may ask about jobs, and what they are told. */
import type { Circumstances } from './gate.ts'
import type { JobView } from './job.ts'
import type { JobKind } from './job-kind.ts'
import type { JobState } from './job-state.ts'
import type { Lane } from './lane.ts'

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
  /** In its queue, counted up to 10,000. */
  readonly ahead: number
  readonly circumstances: Circumstances
}

export interface JobFilter {
  readonly states: readonly JobState[]
  readonly methods: readonly string[]
  readonly key: string
  readonly owner: string
  readonly kinds: readonly JobKind[]
  readonly parentId: string
  readonly labels: Readonly<Record<string, string>>
  readonly createdFrom: Date | undefined
  readonly createdBefore: Date | undefined
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
