/**
 * A job's life, drawn once: the states, and every named move between them. The picture is
 * docs/job-states.md; statements take the states they may leave from here.
 */

/** The numbers of offstage.jobs.v1.JobState, which are also those in the database. */
export const JobState = {
  scheduled: 1,
  queued: 2,
  running: 3,
  waiting: 4,
  succeeded: 5,
  failed: 6,
  canceled: 7,
} as const
export type JobState = (typeof JobState)[keyof typeof JobState]

export function isJobState(value: number): value is JobState {
  return Object.values(JobState).some((state) => state === value)
}

const { scheduled, queued, running, waiting, succeeded, failed, canceled } = JobState

/** The states a job can be recorded in by its start. */
export const BIRTHS = {
  /** The start time is in the future, or the job is behind a key. */
  later: scheduled,
  /** It waits for an executor with a free slot. */
  queued,
  /** An executor is free, and nothing is queued ahead. */
  atOnce: running,
  /** Its parent was canceled, and that cancel goes for it too. */
  doomed: canceled,
} as const satisfies Record<string, JobState>

/** Every legal move: the states it leaves and the state it enters. */
export const TRANSITIONS = {
  /** The start time has come, the backoff is over, or the key is free. */
  promote: { from: [scheduled], to: queued },
  /** Assigned to an executor. */
  claim: { from: [queued], to: running },
  /** The handler waits for child jobs and has given its slot back. */
  waitForChildren: { from: [running], to: waiting },
  /** The handler returned, and the job ends with the last of its attached children: nobody's until then. */
  awaitAttached: { from: [running, waiting], to: waiting },
  /** The children are done; the handler goes on. */
  resume: { from: [waiting], to: running },
  /** The handler returned. */
  succeed: { from: [running, waiting], to: succeeded },
  /** The last attached child has ended, after the handler. */
  complete: { from: [waiting], to: succeeded },
  /** An attached child did not succeed, or the total deadline has passed, after the handler returned. */
  failAttached: { from: [waiting], to: failed },
  /** Canceled after the handler returned, and its attached children with it. */
  cancelWaiting: { from: [waiting], to: canceled },
  /** The handler failed for good. */
  fail: { from: [running, waiting], to: failed },
  /** The handler failed and has attempts left: it waits for its backoff. */
  retry: { from: [running, waiting], to: scheduled },
  /** Handed back, or its executor was lost: no attempt is charged. */
  requeue: { from: [running, waiting], to: queued },
  /** Its executors keep dying. */
  poison: { from: [running, waiting], to: failed },
  /** It was not assigned within its queue deadline, which counts before the first assignment, or not done within its total one. */
  expire: { from: [scheduled, queued], to: failed },
  /** Only the process of its caller was to run it, and that has gone. */
  abandon: { from: [scheduled, queued], to: failed },
  /** Started by SQL, and not queued, since it is nothing that StartJob would have taken (row J24). */
  turnAway: { from: [scheduled], to: failed },
  /** Canceled before it started. */
  cancelUnstarted: { from: [scheduled, queued], to: canceled },
  /** Canceled while it ran, and stopped. */
  cancelRunning: { from: [running, waiting], to: canceled },
  /** Somebody asked for it, by RetryJob: the one move that leaves an end. */
  startAnew: { from: [failed, canceled], to: queued },
} as const satisfies Record<string, { from: readonly JobState[]; to: JobState }>

export type Transition = keyof typeof TRANSITIONS

/** Whether a job in this state has ended, and leaves it no more unless somebody starts it anew. */
export function isTerminal(state: JobState): boolean {
  return state >= succeeded
}

/** The state a move leads to, or undefined when it may not be made from `state`. */
export function move(state: JobState, transition: Transition): JobState | undefined {
  const { from, to } = TRANSITIONS[transition]
  return (from as readonly JobState[]).includes(state) ? to : undefined
}

/** SQL for "in a state that `transition` may leave", e.g. `state IN (3, 4)`. */
export function leaving(transition: Transition, column = 'state'): string {
  return `${column} IN (${TRANSITIONS[transition].from.join(', ')})`
}
