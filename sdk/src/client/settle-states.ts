import { status } from '@grpc/grpc-js'
import { JobState } from '@offstage/proto/jobs'
import { OffstageError } from '../grpc/mod.ts'
import { jobNotFound } from './job-errors.ts'
import { readStatuses } from './job-reads.ts'
import type { Session } from './session.ts'
import { learnJob, type WaitedJob } from './waited-job.ts'

/** What one WaitJobs takes. */
const IDS_MAX = 1_000
/** The time of the wait is up: a scheduler that hangs does not make it much longer. */
const LAST_LOOK_MS_MAX = 1_000

/**
 * Reads where the unfinished of these jobs stand, without waiting. A scheduler that cannot be reached or hangs
 * leaves them as they were: a wait whose time is up has an answer all the same (row J9).
 */
export async function settleStates(
  session: Session,
  handles: readonly WaitedJob[],
  signal: AbortSignal | undefined,
  callMsMax: number = LAST_LOOK_MS_MAX,
): Promise<void> {
  const unfinished = handles.filter((handle) => !handle.isCompleted)
  for (let at = 0; at < unfinished.length; at += IDS_MAX) {
    const asked = unfinished.slice(at, at + IDS_MAX)
    try {
      const ids = asked.map(({ id }) => id)
      const statuses = await readStatuses(session, ids, signal, callMsMax)
      for (const [index, handle] of asked.entries()) {
        const found = statuses[index]
        if (found === undefined) continue
        if (found.state === JobState.JOB_STATE_UNSPECIFIED) throw jobNotFound(handle.id)
        handle[learnJob](found.state, found.completion)
      }
    } catch (error) {
      if (!(error instanceof OffstageError) || error.code === status.NOT_FOUND) throw error
      return
    }
  }
}
