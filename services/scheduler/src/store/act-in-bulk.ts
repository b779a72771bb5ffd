/**
 * What a part of a bulk job does, within its transaction. The jobs are locked first, in the order of their ids, and looked at again as
 * they are then: what the filter does not select any more is left out.
 */
import type { Queryable } from '@offstage/kit/database'
import { actOn } from '../domain/act.ts'
import { type BulkJob, isBulkJob } from '../domain/bulk-job.ts'
import type { CanceledJob, ChangedJob } from '../domain/held-job.ts'
import type { JobKind } from '../domain/job-kind.ts'
import { JobState } from '../domain/job-state.ts'
import type { PartRequest } from '../ports/bulk.ts'
import { recordAct } from './acts.ts'
import { selectingTargets } from './bulk-targets.ts'
import { cancelTrees } from './cancel-jobs.ts'
import { keyNotInHand } from './key-in-hand.ts'
import { lockParentsOf } from './parents.ts'
import { KEEPS_PARENT, removeJobs } from './remove-jobs.ts'
import { startAnew } from './retry-job.ts'

/** What became of a part. */
export interface PartDone {
  readonly matched: number
  readonly done: number
  readonly skipped: ReadonlyMap<string, number>
  /** Jobs that were started anew. */
  readonly changed: readonly ChangedJob[]
  readonly canceled: readonly CanceledJob[]
}

export function actOnPart(tx: Queryable, bulk: BulkJob, part: PartRequest): Promise<PartDone> {
  switch (bulk.verb) {
    case 'cancel':
      return cancelPart(tx, bulk, part)
    case 'retry':
      return retryPart(tx, bulk, part)
    case 'delete':
      return deletePart(tx, bulk, part)
  }
}

interface LockedRow {
  id: string
  owner: string
  kind: JobKind
  method: string
  key: string | null
  pinned: boolean
  keeps_parent: boolean
}

async function lockTargets(
  tx: Queryable,
  bulk: BulkJob,
  ids: readonly string[],
  strength: 'FOR NO KEY UPDATE' | 'FOR UPDATE',
): Promise<LockedRow[]> {
  const { where, add, values } = selectingTargets(bulk)
  const text = `
    SELECT j.id, j.owner, j.kind, j.method, j.key, j.pin_time IS NOT NULL AS pinned, ${KEEPS_PARENT} AS keeps_parent
    FROM offstage.jobs j WHERE j.id = ANY (${add(ids)}::uuid[]) AND ${where}
    ORDER BY j.id ${strength} OF j`
  return (await tx.query<LockedRow>({ name: '', text }, values)).rows
}

async function cancelPart(tx: Queryable, bulk: BulkJob, part: PartRequest): Promise<PartDone> {
  const locked = await lockTargets(tx, bulk, part.ids, 'FOR NO KEY UPDATE')
  const jobIds = locked.map(({ id }) => id)
  const { namespace, ownerOnly: owner, by, reason, graceMs } = bulk
  const terms = { namespace, owner, by, reason, graceMs, leaseMs: part.leaseMs, cascade: false }
  const canceled = jobIds.length === 0 ? [] : await cancelTrees(tx, { ...terms, jobIds })
  return { matched: jobIds.length, done: jobIds.length, skipped: new Map(), changed: [], canceled }
}

/** Of finished jobs with one key one can be unfinished: the newest. */
async function retryPart(tx: Queryable, bulk: BulkJob, part: PartRequest): Promise<PartDone> {
  await lockParentsOf(tx, part.ids)
  const locked = await lockTargets(tx, bulk, part.ids, 'FOR NO KEY UPDATE')
  const taken = await readTakenKeys(tx, bulk.namespace, locked)
  const chosen: LockedRow[] = []
  const skipped = new Map<string, number>()
  for (const job of locked.toReversed()) {
    const reason = reasonAgainst(job, part.barredMethods, taken)
    if (reason !== undefined) skipped.set(reason, (skipped.get(reason) ?? 0) + 1)
    else {
      if (job.key !== null) taken.add(keyOf(job.method, job.key))
      chosen.push(job)
    }
  }
  const changed = await startAnew(
    tx,
    chosen.map(({ id }) => id),
    { requiredVersion: bulk.requiredVersion },
  )
  await recordOnOthers(tx, bulk, chosen)
  return { matched: locked.length, done: changed.length, skipped, changed, canceled: [] }
}

function reasonAgainst(
  job: LockedRow,
  barred: ReadonlyMap<string, string>,
  taken: ReadonlySet<string>,
): string | undefined {
  const { method, key } = job
  if (isBulkJob(job)) return 'JOB_NOT_RETRYABLE'
  const barredBy = barred.get(method)
  if (barredBy !== undefined) return barredBy
  return key !== null && taken.has(keyOf(method, key)) ? 'JOB_KEY_TAKEN' : undefined
}

const TAKEN_KEYS = {
  name: 'read_taken_keys',
  text: `
    SELECT DISTINCT asked.method, asked.key FROM unnest($2::text[], $3::text[]) AS asked(method, key)
    WHERE EXISTS (
        SELECT FROM offstage.jobs j WHERE j.namespace = $1 AND j.method = asked.method AND j.key = asked.key
          AND j.state < ${JobState.succeeded})
      OR NOT ${keyNotInHand('$1', 'asked.method', 'asked.key')}`,
}

async function readTakenKeys(
  tx: Queryable,
  namespace: string,
  jobs: readonly LockedRow[],
): Promise<Set<string>> {
  const keyed = jobs.filter(({ key }) => key !== null)
  if (keyed.length === 0) return new Set()
  const values = [namespace, keyed.map(({ method }) => method), keyed.map(({ key }) => key)]
  const { rows } = await tx.query<{ method: string; key: string }>(TAKEN_KEYS, values)
  return new Set(rows.map(({ method, key }) => keyOf(method, key)))
}

/** No name of a method has a space. */
function keyOf(method: string, key: string): string {
  return `${method} ${key}`
}

/** Whoever has pinned a job has said so of this one; a filter only met it. */
async function deletePart(tx: Queryable, bulk: BulkJob, part: PartRequest): Promise<PartDone> {
  const locked = await lockTargets(tx, bulk, part.ids, 'FOR UPDATE')
  const chosen = locked.filter((job) => !job.pinned && !job.keeps_parent)
  if (chosen.length > 0) {
    await removeJobs(
      tx,
      chosen.map(({ id }) => id),
    )
  }
  await recordOnOthers(tx, bulk, chosen)
  const pinned = locked.filter((job) => job.pinned).length
  const kept = locked.length - chosen.length - pinned
  const counts = [['PINNED', pinned] as const, ['PARENT_NOT_FINISHED', kept] as const]
  const skipped = new Map(counts.filter(([, count]) => count > 0))
  return { matched: locked.length, done: chosen.length, skipped, changed: [], canceled: [] }
}

async function recordOnOthers(tx: Queryable, { by, namespace }: BulkJob, jobs: LockedRow[]) {
  const foreign = jobs.filter(({ owner }) => owner !== by.user)
  if (foreign.length > 0) await recordAct(tx, actOn(by, namespace, foreign, 'OK'))
}
