/** The columns of offstage.jobs that are read, with what the driver makes of each. */

import type { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { AttachmentId } from '../domain/ids.ts'
import type { JobKind } from '../domain/job-kind.ts'
import type { JobState } from '../domain/job-state.ts'

export interface JobColumns {
  id: string
  namespace: string
  method: string
  owner: string
  state: JobState
  revision: number
  kind: JobKind
  /** See `storedLane`. */
  lane: number
  pool: string | null
  priority: number
  key: string | null
  request_id: string | null
  id_is_request_id: boolean
  parent_id: string | null
  root_id: string | null
  /** What is of type `unknown` has a codec. */
  labels: unknown
  traceparent: string | null
  options: unknown
  params: Uint8Array | null
  params_address: string | null
  params_type: string | null
  attempt: number
  failures: number
  crash_count: number
  attachment_id: AttachmentId | null
  create_time: Date
  due_time: Date | null
  start_time: Date | null
  finish_time: Date | null
  cancel_time: Date | null
  cancel_reason: string | null
  cancel_outcome: CancelOutcome
  result: Uint8Array | null
  result_address: string | null
  result_type: string | null
  result_sha256: Uint8Array | null
  additional_result: unknown
  error: unknown
  pin_time: Date | null
  attached_to: string | null
}

/** What a statement that selects these columns answers. */
export type RowOf<C extends readonly (keyof JobColumns)[]> = Pick<JobColumns, C[number]>

/** SQL for these columns of jobs `j`. */
export function columnsOf(columns: readonly (keyof JobColumns)[]): string {
  return columns.map((column) => `j.${column}`).join(', ')
}
