import type { Completion, JobState } from '@offstage/proto/jobs'
import type { JobMessage } from './events.ts'
import type { JobListener } from './tracked-job.ts'

// What waits may do with a handle and callers may not goes by symbols, kept out of the public list.

export const followJob: unique symbol = Symbol('followJob')
export const learnJob: unique symbol = Symbol('learnJob')

/** What waits know of a handle. */
export interface WaitedJob {
  readonly id: string
  readonly isCompleted: boolean
  readonly isCanceled: boolean
  /** Listens to the job, which has not ended, until the returned function is called. */
  [followJob](listener: JobListener): () => void
  /** Takes in what was read of the job. */
  [learnJob](
    state: JobState,
    completion: Completion | undefined,
    messages?: readonly JobMessage[],
  ): void
}
