/** How a call is made. */
export interface CallTerms {
  readonly signal?: AbortSignal
  /** Longest time for one try, in milliseconds. Default 30,000, so that no call hangs. */
  readonly deadlineMs?: number
  /**
   * Tries in all where the service is unavailable or asks to come back; 1 for what may not be repeated. Default 12, and
   * in a job any number until it is told to stop: its attempt outlives an outage shorter than its lease.
   */
  readonly attempts?: number
  /** Past this time, in milliseconds, nothing is tried anew. Default: no limit. */
  readonly repeatMsMax?: number
}

/** No try of a call lasts longer, unless it says so. */
export const CALL_MS_MAX = 30_000

/**
 * Tries of a call that may be repeated. With the growing waits between them about a quarter of a minute: a restart of
 * the database or of a scheduler goes unnoticed, one that is gone is told of.
 */
export const ATTEMPTS_MAX = 12

/** A start is not repeated later than this: whoever waits longer for an answer decides anew whether it still wants the job. */
export const REPEAT_START_MS_MAX = 120_000
