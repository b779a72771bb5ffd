import type { StopCode } from '@offstage/sdk/jobs'
import { reasonOfDeadline, textOfDeadline } from './deadline.ts'
import type { StopCause } from './verdict.ts'

/** What the reason of the handler's signal says. */
export interface StopReasonNote {
  readonly name: 'AbortError' | 'TimeoutError'
  readonly message: string
  readonly code: StopCode
}

export function stopReason(cause: StopCause): StopReasonNote {
  switch (cause.kind) {
    case 'canceled':
      return {
        name: 'AbortError',
        message: cause.reason || 'the job was canceled',
        code: 'JOB_CANCELED',
      }
    case 'overdue':
      return {
        name: 'TimeoutError',
        message: textOfDeadline(cause),
        code: reasonOfDeadline(cause),
      }
    case 'draining':
      return {
        name: 'AbortError',
        message: 'the executor is stopping; the job will run elsewhere',
        code: 'EXECUTOR_DRAINING',
      }
    case 'fenced':
      return {
        name: 'AbortError',
        message: 'the job is no longer run by this executor',
        code: 'ATTEMPT_LOST',
      }
  }
}
