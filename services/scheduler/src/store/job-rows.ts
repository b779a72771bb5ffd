/** Rows of offstage.jobs, and what they mean to the domain. */
import type { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { Completion, Job, JobStanding } from '../domain/job.ts'
import type { JobKind } from '../domain/job-kind.ts'
import { isTerminal, JobState, leaving } from '../domain/job-state.ts'
import type { Lane } from '../domain/lane.ts'
import type { Payload } from '../domain/start-command.ts'
import type { ChangedJob, ClaimedJob, TakenJobs, UnreadableJob } from '../ports.ts'
import { additionalFromStored } from './additional-result-codec.ts'
import { errorFromStored } from './job-error-codec.ts'
import { optionsFromStored } from './job-options-codec.ts'
import { StoredShapeError } from './stored-shape.ts'

/** The columns {@link standingFromRow} reads. */
export const STANDING_COLUMNS = `
  j.id, j.namespace, j.owner, j.state, j.finish_time, j.cancel_outcome, j.result, j.result_address, j.result_type,
  j.result_sha256, j.additional_result, j.error`

export interface StandingRow {
  id: string
  namespace: string
  owner: string
  state: JobState
  finish_time: Date | null
  cancel_outcome: CancelOutcome
  result: Uint8Array | null
  result_address: string | null
  result_type: string | null
  result_sha256: Uint8Array | null
  additional_result: unknown
  error: unknown
}

export function standingFromRow(row: StandingRow): JobStanding {
  const { id, namespace, owner, state } = row
  return { id, namespace, owner, state, completion: completionFromRow(row) }
}

function completionFromRow(row: StandingRow): Completion | undefined {
  if (!isTerminal(row.state) || row.finish_time === null) return undefined
  return {
    state: row.state,
    result: payloadOf(row.result, row.result_address, row.result_type, row.result_sha256),
    additionalResult: additionalFromStored(row.additional_result),
    error: row.state === JobState.failed ? errorFromStored(row.error) : undefined,
    cancelOutcome: row.cancel_outcome,
    finishTime: row.finish_time,
  }
}

function payloadOf(
  inline: Uint8Array | null,
  address: string | null,
  type: string | null,
  sha256: Uint8Array | null = null,
): Payload | undefined {
  if (address !== null) return { address, type: type ?? '', sha256: sha256 ?? undefined }
  if (inline !== null) return { inline, type: type ?? '' }
  return undefined
}

export const CHANGED_COLUMNS = `${STANDING_COLUMNS}, j.method, j.key, j.traceparent`

export interface ChangedRow extends StandingRow {
  method: string
  key: string | null
  traceparent: string | null
}

export function changedFromRow(row: ChangedRow): ChangedJob {
  return {
    ...standingFromRow(row),
    method: row.method,
    key: row.key ?? '',
    traceparent: row.traceparent ?? '',
  }
}

export const CLAIMED_COLUMNS = `
  j.id, j.namespace, j.method, j.owner, j.lane, j.attempt, j.failures, j.key, j.parent_id,
  j.attachment_id, j.params, j.params_address, j.params_type, j.labels, j.traceparent, j.options`

export interface ClaimedRow {
  id: string
  namespace: string
  method: string
  owner: string
  lane: Lane
  attempt: number
  failures: number
  key: string | null
  parent_id: string | null
  attachment_id: string
  params: Uint8Array | null
  params_address: string | null
  params_type: string | null
  labels: Record<string, string> | null
  traceparent: string | null
  options: unknown
}

/** Their claim is committed by now: one that cannot be read is told apart, and its neighbours go on. */
export function takenFromRows(rows: readonly ClaimedRow[]): TakenJobs {
  const jobs: ClaimedJob[] = []
  const unreadable: UnreadableJob[] = []
  for (const row of rows) {
    try {
      jobs.push(claimedFromRow(row))
    } catch (error) {
      if (!(error instanceof StoredShapeError)) throw error
      const { id: jobId, attachment_id: attachmentId, attempt } = row
      unreadable.push({ jobId, attachmentId, attempt, fault: error.message })
    }
  }
  return { jobs, unreadable }
}

function claimedFromRow(row: ClaimedRow): ClaimedJob {
  return {
    id: row.id,
    namespace: row.namespace,
    method: row.method,
    owner: row.owner,
    lane: row.lane,
    attempt: row.attempt,
    failures: row.failures,
    key: row.key ?? '',
    parentId: row.parent_id ?? '',
    attachmentId: row.attachment_id,
    params: payloadOf(row.params, row.params_address, row.params_type) ?? { type: '' },
    labels: row.labels ?? undefined,
    traceparent: row.traceparent ?? '',
    options: optionsFromStored(row.options),
  }
}

export const JOB_COLUMNS = `${CHANGED_COLUMNS}, j.lane, j.attempt, j.failures, j.parent_id, j.root_id, j.labels,
  j.options, j.revision, j.kind, j.request_id, j.id_is_request_id, j.priority, j.crash_count, j.create_time,
  j.due_time, j.start_time, j.cancel_time, j.cancel_reason,
  CASE WHEN ${leaving('requeue', 'j.state')} THEN (
    SELECT a.session_id FROM offstage.attachments a WHERE a.id = j.attachment_id) END AS session_id`

/** Parameters may be large: read only where they are shown. */
export const FULL_JOB_COLUMNS = `${JOB_COLUMNS}, j.params, j.params_address, j.params_type`

export interface JobRow extends ChangedRow {
  lane: Lane
  attempt: number
  parent_id: string | null
  root_id: string | null
  labels: Record<string, string> | null
  options: unknown
  revision: number
  kind: JobKind
  request_id: string | null
  id_is_request_id: boolean
  priority: number
  crash_count: number
  create_time: Date
  due_time: Date | null
  start_time: Date | null
  /** The executor session that holds it. */
  session_id: string | null
  cancel_time: Date | null
  cancel_reason: string | null
  /** In the view `full`. */
  params?: Uint8Array | null
  params_address?: string | null
  params_type?: string | null
}

export function jobFromRow(row: JobRow): Job {
  const standing = standingFromRow(row)
  const open = standing.completion === undefined
  return {
    ...standing,
    method: row.method,
    revision: row.revision,
    kind: row.kind,
    key: row.key ?? '',
    requestId: row.id_is_request_id ? row.id : (row.request_id ?? ''),
    parentId: row.parent_id ?? '',
    rootId: row.root_id ?? row.id,
    lane: row.lane,
    priority: row.priority,
    labels: row.labels ?? {},
    attempt: row.attempt,
    crashCount: row.crash_count,
    createTime: row.create_time,
    dueTime: open ? (row.due_time ?? undefined) : undefined,
    startTime: row.start_time ?? undefined,
    sessionId: row.session_id ?? '',
    cancelRequested: open && row.cancel_time !== null,
    cancelReason: row.cancel_reason ?? '',
    traceparent: row.traceparent ?? '',
    options: optionsFromStored(row.options) ?? {},
    params: paramsFromRow(row),
    lastError: open ? errorFromStored(row.error) : undefined,
    progress: undefined,
    attempts: undefined,
  }
}

function paramsFromRow({ params, params_address, params_type }: JobRow): Payload | undefined {
  if (params === undefined) return undefined
  return payloadOf(params, params_address ?? null, params_type ?? null) ?? { type: '' }
}
