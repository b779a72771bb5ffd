/** Why a handler is told to stop, and what becomes of its job. */
export const STOP_CODES = {
  JOB_CANCELED: 'Somebody canceled the job, or what it ran for; the message says why.',
  ATTEMPT_DEADLINE_EXCEEDED: 'The attempt took too long; another may follow.',
  HEARTBEAT_DEADLINE_EXCEEDED: 'The handler was silent for too long; another attempt may follow.',
  TOTAL_DEADLINE_EXCEEDED: 'The job took too long; it fails.',
  EXECUTOR_DRAINING: 'The executor stops, and its grace is over; the job runs elsewhere.',
  ATTEMPT_LOST:
    'The lease has run out; the job may run elsewhere by now, and no word of this attempt counts.',
} as const
export type StopCode = keyof typeof STOP_CODES

/**
 * Why the handler of `job.signal` is told to stop: the `code` of the signal's reason. Undefined while it is not told, and for signals that
 * no executor has aborted.
 *
 * ```ts
 * if (stopCodeOf(job.signal) === 'EXECUTOR_DRAINING') job.heartbeat({ row })
 * ```
 */
export function stopCodeOf({ reason }: AbortSignal): StopCode | undefined {
  const code: unknown = reason instanceof Error ? Reflect.get(reason, 'code') : undefined
  return typeof code === 'string' && Object.hasOwn(STOP_CODES, code)
    ? (code as StopCode)
    : undefined
}
