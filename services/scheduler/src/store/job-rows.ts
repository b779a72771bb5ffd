/** Rows of offstage.jobs, and what they mean to the domain. */

import type { ChangedJob, ClaimedJob, TakenJobs, UnreadableJob } from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'
import type { Completion, Job, JobError, JobStanding } from '../domain/job.ts'
import { isTerminal, JobState, leaving } from '../domain/job-state.ts'
import { laneFromStored } from '../domain/lane.ts'
import type { Payload } from '../domain/start-command.ts'
import { additionalFromStored } from './additional-result-codec.ts'
import { columnsOf, type RowOf } from './job-columns.ts'
import { errorFromStored } from './job-error-codec.ts'
import { optionsFromStored } from './job-options-codec.ts'
import { labelsFromStored } from './labels-codec.ts'
import { readWhatCan, StoredShapeError } from './stored-shape.ts'

const STANDING = [
  'id',
  'namespace',
  'owner',
  'state',
  'finish_time',
  'cancel_outcome',
  'result',
  'result_address',
  'result_type',
  'result_sha256',
  'additional_result',
  'error',
] as const

/** The columns {@link standingFromRow} reads. */
export const STANDING_COLUMNS = columnsOf(STANDING)
export type StandingRow = RowOf<typeof STANDING>

export function standingFromRow(row: StandingRow): JobStanding {
  const { id, namespace, owner, state } = row
  return { id, namespace, owner, state, completion: completionFromRow(row) }
}

function completionFromRow(row: StandingRow): Completion | undefined {
  if (!isTerminal(row.state) || row.finish_time === null) return undefined
  const faults: string[] = []
  const additionalResult = readWhatCan(additionalFromStored, row.additional_result, faults)
  const failed = row.state === JobState.failed
  const error = failed ? readWhatCan(errorFromStored, row.error, faults) : undefined
  return {
    state: row.state,
    result: payloadOf(row.result, row.result_address, row.result_type, row.result_sha256),
    additionalResult,
    error: failed ? (error ?? errorUnread(faults)) : undefined,
    cancelOutcome: row.cancel_outcome,
    finishTime: row.finish_time,
    unreadable: unreadableFrom(faults),
  }
}

/** Stands for what cannot be read: a failed job always has an error. */
function errorUnread(faults: readonly string[]): JobError {
  return {
    brief: 'The job failed, and why cannot be read.',
    detail: faults.join('\n'),
    reason: 'JOB_UNREADABLE',
    retryable: false,
  }
}

function unreadableFrom(faults: readonly string[]): string | undefined {
  return faults.length === 0 ? undefined : faults.join('; ')
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

const CHANGED = [...STANDING, 'method', 'key', 'traceparent', 'attached_to'] as const

export const CHANGED_COLUMNS = columnsOf(CHANGED)
export type ChangedRow = RowOf<typeof CHANGED>

export function changedFromRow(row: ChangedRow): ChangedJob {
  return {
    ...standingFromRow(row),
    method: row.method,
    key: row.key ?? '',
    traceparent: row.traceparent ?? '',
    attachedTo: row.attached_to ?? undefined,
  }
}

const CLAIMED = [
  'id',
  'namespace',
  'method',
  'owner',
  'lane',
  'pool',
  'attempt',
  'failures',
  'key',
  'parent_id',
  'attachment_id',
  'params',
  'params_address',
  'params_type',
  'labels',
  'traceparent',
  'options',
] as const

/** SQL for what the attempts before said last; the first one has none, and does not look. */
const ofHeartbeat = (column: string) => `
  CASE WHEN j.attempt > 1 THEN (
    SELECT p.${column} FROM offstage.job_progress p WHERE p.job_id = j.id) END AS ${column}`

export const CLAIMED_COLUMNS = `${columnsOf(CLAIMED)},
  extract(epoch FROM j.total_deadline - now())::float8 * 1000 AS total_left_ms,
  ${ofHeartbeat('heartbeat_data')}, ${ofHeartbeat('heartbeat_type')}`

export type ClaimedRow = RowOf<typeof CLAIMED> & {
  /** It is claimed for. */
  attachment_id: AttachmentId
  total_left_ms: number | null
  heartbeat_data: Uint8Array | null
  heartbeat_type: string | null
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
    lane: laneFromStored(row.lane),
    pool: row.pool ?? undefined,
    attempt: row.attempt,
    failures: row.failures,
    key: row.key ?? '',
    parentId: row.parent_id ?? '',
    attachmentId: row.attachment_id,
    params: payloadOf(row.params, row.params_address, row.params_type) ?? { type: '' },
    labels: labelsFromStored(row.labels),
    traceparent: row.traceparent ?? '',
    options: optionsFromStored(row.options),
    totalLeftMs: row.total_left_ms ?? undefined,
    heartbeatData: payloadOf(row.heartbeat_data, null, row.heartbeat_type),
  }
}

const JOB = [
  ...CHANGED,
  'lane',
  'pool',
  'attempt',
  'failures',
  'parent_id',
  'root_id',
  'labels',
  'options',
  'revision',
  'kind',
  'request_id',
  'id_is_request_id',
  'priority',
  'crash_count',
  'create_time',
  'due_time',
  'start_time',
  'cancel_time',
  'cancel_reason',
  'pin_time',
] as const
/** They may be large: read only where they are shown. */
const PARAMS = ['params', 'params_address', 'params_type'] as const

export const JOB_COLUMNS = `${columnsOf(JOB)},
  CASE WHEN ${leaving('requeue', 'j.state')} THEN (
    SELECT a.session_id FROM offstage.attachments a WHERE a.id = j.attachment_id) END AS session_id`

/** In the view `full`. */
export const FULL_JOB_COLUMNS = `${JOB_COLUMNS}, ${columnsOf(PARAMS)}`

export type JobRow = RowOf<typeof JOB> &
  Partial<RowOf<typeof PARAMS>> & {
    /** The executor session that holds it. */
    session_id: string | null
  }

export function jobFromRow(row: JobRow): Job {
  const standing = standingFromRow(row)
  const open = standing.completion === undefined
  const faults: string[] = []
  return {
    ...standing,
    method: row.method,
    revision: row.revision,
    kind: row.kind,
    pinned: row.pin_time !== null,
    key: row.key ?? '',
    requestId: row.id_is_request_id ? row.id : (row.request_id ?? ''),
    parentId: row.parent_id ?? '',
    rootId: row.root_id ?? row.id,
    lane: laneFromStored(row.lane),
    pool: row.pool ?? '',
    priority: row.priority,
    labels: readWhatCan(labelsFromStored, row.labels, faults) ?? {},
    attempt: row.attempt,
    crashCount: row.crash_count,
    createTime: row.create_time,
    dueTime: open ? (row.due_time ?? undefined) : undefined,
    startTime: row.start_time ?? undefined,
    sessionId: row.session_id ?? '',
    cancelRequested: open && row.cancel_time !== null,
    cancelReason: row.cancel_reason ?? '',
    traceparent: row.traceparent ?? '',
    options: readWhatCan(optionsFromStored, row.options, faults) ?? {},
    isAttached: row.attached_to !== null,
    params: paramsFromRow(row),
    lastError: open ? readWhatCan(errorFromStored, row.error, faults) : undefined,
    progress: undefined,
    heartbeatData: undefined,
    attempts: undefined,
    unreadable: unreadableFrom(faults),
  }
}

function paramsFromRow({ params, params_address, params_type }: JobRow): Payload | undefined {
  if (params === undefined) return undefined
  return payloadOf(params, params_address ?? null, params_type ?? null) ?? { type: '' }
}
