/** What deadlines say that have ended something (row J17). */
import { DEADLINE_REASONS } from '@offstage/proto/reasons'
import type { JobError } from './job.ts'

export { DEADLINE_REASONS }

/** The deadlines of an attempt that runs, and those of its job. */
export type RunningDeadline = Exclude<keyof typeof DEADLINE_REASONS, 'queue'>

const BRIEFS: Readonly<Record<RunningDeadline, string>> = {
  attempt: 'The attempt took longer than its attempt deadline.',
  total: 'The job was not done within its total deadline.',
  heartbeat: 'The handler said nothing for longer than its heartbeat deadline.',
}

/** Of an attempt whose executor has not seen to it. */
export function overdueError(deadline: RunningDeadline): JobError {
  return {
    brief: BRIEFS[deadline],
    detail: 'Its executor did not end it in time, so the scheduler did.',
    reason: DEADLINE_REASONS[deadline],
    retryable: deadline !== 'total',
  }
}
