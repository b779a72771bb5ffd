/** What waits read of jobs without waiting. */
import { durationFrom } from '@offstage/proto/durations'
import { type JobStatus, type ListJobMessagesResponse, WaitMode } from '@offstage/proto/jobs'
import { OffstageError } from '../grpc/mod.ts'
import type { Calls } from './calls.ts'
import type { JobMessage } from './events.ts'
import { isTerminal } from './job-state.ts'
import { messageFrom } from './wire-events.ts'

/** A poll that takes longer is given up and made up for later. */
const POLL_CALL_MS_MAX = 10_000
const MESSAGES_PAGE = 1_000

/** Reads the states of jobs, in the order of `jobIds` (at most 1,000), with the ends of those that have ended, as far as they could be read. */
export async function readStatuses(
  calls: Calls,
  jobIds: string[],
  signal?: AbortSignal,
  deadlineMs = POLL_CALL_MS_MAX,
): Promise<JobStatus[]> {
  const ask = async (ids: string[]) => {
    const { jobs } = calls.connection
    const { namespace } = calls.identity
    const { statuses } = await calls.callScheduler(
      jobs.waitJobs.bind(jobs),
      { namespace, jobIds: ids, mode: WaitMode.WAIT_MODE_ALL, timeout: durationFrom(0) },
      { signal, deadlineMs, attempts: 1 },
    )
    return statuses
  }
  const statuses = await ask(jobIds)
  for (let before = statuses.length; ; ) {
    // One answer holds only so many results; each leaves out fewer than the one before.
    const left = statuses.flatMap((status, index) => (isEndLeftOut(status) ? [index] : []))
    if (left.length === 0 || left.length >= before) return statuses
    before = left.length
    try {
      const more = await ask(left.map((index) => jobIds[index] ?? ''))
      for (const [at, status] of more.entries()) statuses[left[at] ?? -1] = status
    } catch (error) {
      // What was read is kept: read anew each time, many large results might never be read whole.
      if (isPassing(error)) return statuses
      throw error
    }
  }
}

/** Reads the messages of a job after a sequence number, page by page (row J15). */
export async function readMessages(
  calls: Calls,
  jobId: string,
  afterSequence: number,
  take: (message: JobMessage) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { jobs } = calls.connection
  const { namespace } = calls.identity
  for (let pageToken = ''; ; ) {
    const page: ListJobMessagesResponse = await calls.callScheduler(
      jobs.listJobMessages.bind(jobs),
      { namespace, jobId, afterSequence, pageSize: MESSAGES_PAGE, pageToken },
      { signal },
    )
    for (const message of page.messages) take(messageFrom(message))
    pageToken = page.nextPageToken
    if (pageToken === '') return
  }
}

/** A large answer tells of the state alone: what has ended can be asked for again. */
function isEndLeftOut({ state, completion }: JobStatus): boolean {
  return isTerminal(state) && completion === undefined
}

/** Whether it is to be asked again: the scheduler comes back, and the jobs have gone on meanwhile (row J7). */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof OffstageError)) return false
  return error.retryable || error.reason === 'DEADLINE_EXCEEDED' || error.reason === 'INTERNAL'
}
