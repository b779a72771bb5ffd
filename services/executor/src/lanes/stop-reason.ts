import { reasonOfDeadline, textOfDeadline } from '../domain/deadline.ts'
import type { StopCause } from '../domain/verdict.ts'

/** What the handler's signal says: name and message of its reason, and of a deadline which one it was. */
export function stopReason(cause: StopCause): { name: string; message: string; code?: string } {
  switch (cause.kind) {
    case 'canceled':
      return { name: 'AbortError', message: cause.reason || 'the job was canceled' }
    case 'overdue':
      return {
        name: 'TimeoutError',
        message: textOfDeadline(cause),
        code: reasonOfDeadline(cause),
      }
    case 'draining':
      return { name: 'AbortError', message: 'the executor is stopping; the job will run elsewhere' }
    case 'fenced':
      return { name: 'AbortError', message: 'the job is no longer run by this executor' }
  }
}
