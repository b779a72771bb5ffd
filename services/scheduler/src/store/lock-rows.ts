/** How locks and waits for them are stored, and when they are void. */

import { JobState } from '../domain/job-state.ts'
import type { Lock, LockConflict, LockHolder } from '../domain/lock.ts'
import { leaseLives } from './caller-leases.ts'

/**
 * SQL: whether the holder of a lock or a wait is there. An attempt is over for good once its job has left it, be it that it has ended, that
 * its handler has and attached children are left, or that its executor was lost: no other attempt of the job has its number.
 */
export const isHeld = (row: string) => `
  CASE WHEN ${row}.job_id IS NOT NULL THEN EXISTS (
    SELECT FROM offstage.jobs holder WHERE holder.id = ${row}.job_id AND holder.attempt = ${row}.attempt
      AND holder.state IN (${JobState.running}, ${JobState.waiting}) AND holder.attachment_id IS NOT NULL)
  ELSE EXISTS (
    SELECT FROM offstage.caller_leases holder WHERE holder.id = ${row}.lease_id AND holder.namespace = ${row}.namespace
      AND ${leaseLives('holder')}) END`

/** After so long without a word of it a wait has no turn, until it is heard of again. */
const UNSEEN_MS = 5_000

/** SQL: whether a wait is somebody's turn before those that came after it. */
export const isWaiting = (row: string) =>
  `${row}.seen_time > clock_timestamp() - interval '${UNSEEN_MS} ms' AND ${isHeld(row)}`

export const HOLDER_COLUMNS = ['owner', 'job_id', 'attempt', 'lease_id']
export const LOCK_COLUMNS =
  'l.name, l.token, l.exclusive, l.owner, l.job_id, l.attempt, l.lease_id, l.acquire_time'

export interface HolderRow {
  owner: string
  job_id: string | null
  attempt: number | null
  lease_id: string | null
}

export interface LockRow extends HolderRow {
  name: string
  token: number
  exclusive: boolean
  acquire_time: Date
}

export interface ConflictRow extends HolderRow {
  is_waiting: boolean
  name: string
  since: Date
}

export function lockFromRow(row: LockRow): Lock {
  const { name, owner, exclusive, token, acquire_time } = row
  const holder = holderFromRow(row)
  return { name, owner, holder, exclusive, fencingToken: token, acquireTime: acquire_time }
}

export function conflictFromRow(row: ConflictRow): LockConflict {
  const { is_waiting, name, owner, since } = row
  const isBound = row.job_id !== null || row.lease_id !== null
  const holder = isBound ? holderFromRow(row) : ({ kind: 'transaction' } as const)
  return { isWaiting: is_waiting, name, owner, holder, since }
}

function holderFromRow({ job_id, attempt, lease_id }: HolderRow): LockHolder {
  if (job_id !== null) return { kind: 'job', jobId: job_id, attempt: attempt ?? 0 }
  return { kind: 'lease', leaseId: lease_id ?? '' }
}

/** A job's id, its attempt and a lease's id, as they are stored. */
export function holderValues(holder: LockHolder): [string | null, number | null, string | null] {
  return holder.kind === 'job' ? [holder.jobId, holder.attempt, null] : [null, null, holder.leaseId]
}
