/** How a cancel ended: the numbers of offstage.jobs.v1.CancelOutcome, which are also those in the database. */
export const CancelOutcome = {
  /** Not canceled, or not known yet. */
  unknown: 0,
  /** No handler was called. */
  neverStarted: 1,
  /** The handler stopped, by itself or by force. */
  stopped: 2,
  /** The handler finished before the cancel reached it. */
  finishedAnyway: 3,
} as const
export type CancelOutcome = (typeof CancelOutcome)[keyof typeof CancelOutcome]
