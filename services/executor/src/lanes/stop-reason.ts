import type { StopCause } from '../domain/verdict.ts'

/** What the handler's signal says: name and message of its reason. */
export function stopReason(cause: StopCause): { name: string; message: string } {
  switch (cause.kind) {
    case 'canceled':
      return { name: 'AbortError', message: cause.reason || 'the job was canceled' }
    case 'overdue':
      return {
        name: 'TimeoutError',
        message: `the attempt took longer than its deadline of ${cause.deadlineMs} ms`,
      }
    case 'draining':
      return { name: 'AbortError', message: 'the executor is stopping; the job will run elsewhere' }
    case 'fenced':
      return { name: 'AbortError', message: 'the job is no longer run by this executor' }
  }
}
