import {
  type CountJobsRequest,
  JobDimension,
  type JobCount as WireCount,
} from '@offstage/proto/jobs'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal, oneOf } from '../arguments/rules.ts'
import type { Calls } from './calls.ts'
import { filterFrom, type JobFilter } from './job-info.ts'
import { type JobStateName, namesOf } from './job-state.ts'
import { listUpTo } from './limit-rules.ts'

/** What jobs can be counted by. */
export type CountBy = 'state' | 'method' | 'createMinute'

const DIMENSIONS = {
  state: JobDimension.JOB_DIMENSION_STATE,
  method: JobDimension.JOB_DIMENSION_METHOD,
  createMinute: JobDimension.JOB_DIMENSION_CREATE_MINUTE,
} as const satisfies Record<CountBy, JobDimension>

export interface CountOptions {
  /** One count for each combination of these. Default: one of all. */
  readonly by?: readonly CountBy[]
  readonly signal?: AbortSignal
}

const COUNT_RULES: Rules<CountOptions> = {
  by: listUpTo(3, oneOf(Object.keys(DIMENSIONS))),
  signal: abortSignal,
}

/** How many jobs have these values; what they are not counted by is not set. */
export interface JobCount {
  readonly state?: JobStateName
  readonly method?: string
  /** The beginning of the minute they were created in. */
  readonly createMinute?: Date
  readonly count: number
}

export async function countJobs(
  calls: Calls,
  filter: JobFilter,
  options: CountOptions,
): Promise<JobCount[]> {
  checkOptions('countJobs', options, COUNT_RULES)
  const { by = [], signal } = options
  const { jobs } = calls.connection
  const { namespace } = calls.identity
  const dimensions = by.map((name) => DIMENSIONS[name])
  const request: CountJobsRequest = { namespace, filter: filterFrom(filter), by: dimensions }
  const answer = await calls.callScheduler(jobs.countJobs.bind(jobs), request, { signal })
  return answer.counts.map((count) => countFrom(count, by))
}

function countFrom(count: WireCount, by: readonly CountBy[]): JobCount {
  return {
    state: by.includes('state') ? namesOf(count.state).state : undefined,
    method: by.includes('method') ? count.method : undefined,
    createMinute: count.createMinute,
    count: Number(count.count),
  }
}
