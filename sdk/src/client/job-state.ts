import { JobState } from '@offstage/proto/jobs'

/** Where a job stands, drawn in docs/job-states.md (rows J10, J11). */
export type JobStateName =
  | 'scheduled'
  | 'queued'
  | 'running'
  | 'waiting'
  | 'succeeded'
  | 'failed'
  | 'canceled'

/** Where a job that has not ended stands. */
export type UnfinishedStateName = Exclude<JobStateName, 'succeeded' | 'failed' | 'canceled'>

/** The same under the names of row A2. */
export type JobStatusName =
  | 'Created'
  | 'WaitingToRun'
  | 'Running'
  | 'WaitingForChildrenToComplete'
  | 'RanToCompletion'
  | 'Canceled'
  | 'Faulted'

interface StateNames {
  readonly state: JobStateName
  readonly status: JobStatusName
}

const NAMES = new Map<JobState, StateNames>([
  [JobState.JOB_STATE_SCHEDULED, { state: 'scheduled', status: 'Created' }],
  [JobState.JOB_STATE_QUEUED, { state: 'queued', status: 'WaitingToRun' }],
  [JobState.JOB_STATE_RUNNING, { state: 'running', status: 'Running' }],
  [JobState.JOB_STATE_WAITING, { state: 'waiting', status: 'WaitingForChildrenToComplete' }],
  [JobState.JOB_STATE_SUCCEEDED, { state: 'succeeded', status: 'RanToCompletion' }],
  [JobState.JOB_STATE_FAILED, { state: 'failed', status: 'Faulted' }],
  [JobState.JOB_STATE_CANCELED, { state: 'canceled', status: 'Canceled' }],
])

const NUMBERS = new Map([...NAMES].map(([number, { state }]) => [state, number]))

/** All names of states. */
export const stateNames: readonly string[] = [...NUMBERS.keys()]

/** Both names of a state; one this version does not know, or none, counts as just created. */
export function namesOf(state: JobState): StateNames {
  return NAMES.get(state) ?? { state: 'scheduled', status: 'Created' }
}

/** The name of a state that is not terminal. */
export function unfinishedNameOf(state: JobState): UnfinishedStateName {
  const { state: name } = namesOf(state)
  if (name === 'succeeded' || name === 'failed' || name === 'canceled') {
    throw new Error(`a job in the state ${name} has ended`)
  }
  return name
}

/** The state's number on the wire. */
export function stateFrom(name: JobStateName): JobState {
  return NUMBERS.get(name) ?? JobState.JOB_STATE_UNSPECIFIED
}

/** Whether a job in this state has ended. */
export function isTerminal(state: JobState): boolean {
  return (
    state === JobState.JOB_STATE_SUCCEEDED ||
    state === JobState.JOB_STATE_FAILED ||
    state === JobState.JOB_STATE_CANCELED
  )
}
