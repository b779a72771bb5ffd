/**
 * Bulk jobs: jobs that the schedulers carry out themselves, part by part.
 *
 * A part is one transaction: what is done to its jobs, what is counted of it, and where the next one begins. Nobody holds a bulk job
 * in between, and none has to be found again: whichever replica comes next goes on.
 *
 * Invariants:
 *  1. Each job that is met is acted on once: a replica that dies within a part has done nothing of it.
 *  2. Of two replicas that carry on from the same part one does: its row is locked, and its number looked at.
 *  3. One that has ended, or is canceled, does nothing more: its own job is locked before others are.
 */
import { type Database, type Queryable, sqlStateOf } from '@offstage/kit/database'
import { isFilterFault, parseFilter, printFilter } from '@offstage/proto/job-filter'
import {
  BULK_METHODS,
  type BulkCounts,
  type BulkJob,
  type BulkVerb,
  type NewBulkJob,
} from '../domain/bulk-job.ts'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { ChangedJob } from '../domain/held-job.ts'
import { JobKind } from '../domain/job-kind.ts'
import { JobState, leaving, TRANSITIONS } from '../domain/job-state.ts'
import { LANE_DEFAULT } from '../domain/lane.ts'
import type { BulkStore, CarriedPart } from '../ports/bulk.ts'
import { actOnPart, type PartDone } from './act-in-bulk.ts'
import { countTargets, previewTargets, readTargets } from './bulk-targets.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'
import { requestNotInHand } from './request-in-hand.ts'
import { WAITS_BRIEFLY } from './waits-briefly.ts'

/** It runs from its birth on: no executor is waited for. */
const INSERT = {
  name: 'insert_bulk_job',
  text: `
    WITH job AS (
      INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt, start_time, params,
        request_id, id_is_request_id, traceparent)
      SELECT $1::uuid, $2::text, $3, $4::text, ${JobState.running}, $5::smallint, ${JobKind.system}, 0, 1, now(), $6::bytea,
        CASE WHEN $7::text <> $1::text THEN $7 END, coalesce($7::text = $1::text, false), $8
      WHERE ${WAITS_BRIEFLY} AND ($7::text IS NULL OR ${requestNotInHand('$2', '$4', '$7')})
      ON CONFLICT DO NOTHING
      RETURNING id
    )
    INSERT INTO offstage.bulk_jobs (job_id, verb, filter, owner_only, roles, peer, call, reason, grace_ms)
    SELECT id, $9, $10, $11, $12::text[], $13, $14, $15, $16::float8 FROM job`,
}

/** The one that has waited longest for its turn, of who was not served yet if there is one. */
const NEXT = {
  name: 'next_bulk_job',
  text: `
    SELECT b.*, j.namespace, j.owner, j.params FROM offstage.bulk_jobs b JOIN offstage.jobs j ON j.id = b.job_id
    WHERE b.job_id <> ALL ($1::uuid[])
    ORDER BY j.owner = ANY ($2::text[]), b.part_time, b.job_id LIMIT 1`,
}

const HOLD = {
  name: 'hold_bulk_job',
  text: `
    SELECT FROM offstage.bulk_jobs WHERE job_id = $1::uuid AND parts = $2::bigint
    FOR UPDATE SKIP LOCKED`,
}

const HOLD_JOB = {
  name: 'hold_job_of_bulk',
  text: `
    SELECT j.state, j.cancel_time IS NOT NULL AS canceled FROM offstage.jobs j WHERE j.id = $1::uuid
    FOR NO KEY UPDATE`,
}

const GO_ON = {
  name: 'go_on_with_bulk_job',
  text: `
    UPDATE offstage.bulk_jobs SET parts = parts + 1, part_time = clock_timestamp(), before_id = $2::uuid, total = $3::bigint,
      matched = $4::bigint, done = $5::bigint, skipped = $6::jsonb
    WHERE job_id = $1::uuid`,
}

const FORGET = {
  name: 'forget_bulk_job',
  text: 'DELETE FROM offstage.bulk_jobs WHERE job_id = $1::uuid',
}

const SUCCEED = {
  name: 'succeed_bulk_job',
  text: `
    UPDATE offstage.jobs j SET revision = j.revision + 1, state = ${TRANSITIONS.succeed.to}, finish_time = now(), result = $2::bytea
    WHERE j.id = $1::uuid AND ${leaving('succeed', 'j.state')}
    RETURNING ${CHANGED_COLUMNS}`,
}

const CANCEL = {
  name: 'end_canceled_bulk_job',
  text: `
    UPDATE offstage.jobs j SET revision = j.revision + 1, state = ${TRANSITIONS.cancelRunning.to}, finish_time = now(),
      cancel_outcome = ${CancelOutcome.stopped}
    WHERE j.id = $1::uuid AND ${leaving('cancelRunning', 'j.state')}
    RETURNING ${CHANGED_COLUMNS}`,
}

const RECORD_PROGRESS = {
  name: 'record_bulk_progress',
  text: `
    INSERT INTO offstage.job_progress AS p (job_id, revision, percent, text, extra) VALUES ($1::uuid, 1, $2::float8, $3, $4::jsonb)
    ON CONFLICT (job_id) DO UPDATE SET revision = p.revision + 1, percent = excluded.percent, text = excluded.text,
      extra = excluded.extra, record_time = now()`,
}

interface BulkRow {
  job_id: string
  namespace: string
  owner: string
  /** What has no column of its own is read from here. */
  params: Uint8Array
  verb: BulkVerb
  filter: string
  owner_only: string | null
  roles: string[]
  peer: string
  call: string
  reason: string
  grace_ms: number
  total: number | null
  parts: number
  before_id: string | null
  matched: number
  done: number
  skipped: Record<string, number>
}

export function createBulkStore(calls: Database, work: Database, listings: Database): BulkStore {
  return {
    insert: async (job) => (await calls.query(INSERT, insertValues(job))).rowCount > 0,
    preview: (scope, verb, filter, limitMs) =>
      previewTargets(listings, scope, verb, filter, limitMs),
    async next(except, served) {
      const [row] = (await work.query<BulkRow>(NEXT, [except, served])).rows
      return row && { id: row.job_id, owner: row.owner, read: () => bulkFromRow(row) }
    },
    count: (bulk) => countTargets(listings, bulk),
    targets: (bulk, limit) => readTargets(listings, bulk, limit),
    async carry(bulk, part) {
      try {
        return await work.transaction((tx) => carryPart(tx, bulk, part))
      } catch (error) {
        // A start took a key in between: another look finds it taken.
        if (sqlStateOf(error) === '23505') return { kind: 'again' }
        throw error
      }
    },
  }
}

function insertValues(job: NewBulkJob): unknown[] {
  const { by } = job
  return [
    ...[job.id, job.namespace, BULK_METHODS[job.verb], by.user, LANE_DEFAULT, job.params],
    ...[job.requestId || null, job.traceparent || null, job.verb, printFilter(job.filter)],
    ...[job.ownerOnly ?? null, by.roles, by.peer, by.call, job.reason, job.graceMs],
  ]
}

function bulkFromRow(row: BulkRow): BulkJob {
  const filter = parseFilter(row.filter)
  if (isFilterFault(filter) || !(row.verb in BULK_METHODS)) {
    throw new Error(`bulk job ${row.job_id} cannot be read: ${row.verb} ${row.filter}`)
  }
  return {
    id: row.job_id,
    namespace: row.namespace,
    verb: row.verb,
    filter,
    ownerOnly: row.owner_only ?? undefined,
    by: { user: row.owner, roles: row.roles, peer: row.peer, call: row.call },
    reason: row.reason,
    graceMs: row.grace_ms,
    requiredVersion: requiredVersionFrom(row.params),
    total: row.total ?? undefined,
    parts: row.parts,
    beforeId: row.before_id ?? undefined,
    counts: { matched: row.matched, done: row.done, skipped: row.skipped },
  }
}

function requiredVersionFrom(params: Uint8Array): string | undefined {
  const { requiredVersion }: Record<string, unknown> = JSON.parse(Buffer.from(params).toString())
  return typeof requiredVersion === 'string' ? requiredVersion : undefined
}

const NOTHING: PartDone = { matched: 0, done: 0, skipped: new Map(), changed: [], canceled: [] }

async function carryPart(
  tx: Queryable,
  bulk: BulkJob,
  part: Parameters<BulkStore['carry']>[1],
): Promise<CarriedPart> {
  const { id, parts } = bulk
  if ((await tx.query(HOLD, [id, parts])).rows.length === 0) return { kind: 'elsewhere' }
  const { rows } = await tx.query<{ state: JobState; canceled: boolean }>(HOLD_JOB, [id])
  const [own] = rows
  if (own === undefined || own.state !== JobState.running) {
    await tx.query(FORGET, [id])
    return { kind: 'over' }
  }
  const acts = own.canceled || part.ids.length === 0 ? NOTHING : await actOnPart(tx, bulk, part)
  const counts = addUp(bulk.counts, acts)
  await recordProgress(tx, bulk, counts, part.total)
  const { changed, canceled } = acts
  if (!own.canceled && !part.isLast) {
    const { matched, done, skipped } = counts
    const values = [id, part.ids.at(-1), part.total ?? null, matched, done, JSON.stringify(skipped)]
    await tx.query(GO_ON, values)
    return { kind: 'carried', changed, canceled, ended: undefined }
  }
  await tx.query(FORGET, [id])
  return { kind: 'carried', changed, canceled, ended: await end(tx, id, own.canceled, counts) }
}

async function end(
  tx: Queryable,
  id: string,
  isCanceled: boolean,
  counts: BulkCounts,
): Promise<ChangedJob | undefined> {
  const { rows } = isCanceled
    ? await tx.query<ChangedRow>(CANCEL, [id])
    : await tx.query<ChangedRow>(SUCCEED, [id, Buffer.from(JSON.stringify(counts))])
  return rows[0] && changedFromRow(rows[0])
}

function addUp(before: BulkCounts, { matched, done, skipped }: PartDone): BulkCounts {
  const all: Record<string, number> = { ...before.skipped }
  for (const [reason, count] of skipped) all[reason] = (all[reason] ?? 0) + count
  return { matched: before.matched + matched, done: before.done + done, skipped: all }
}

const DONE: Readonly<Record<BulkVerb, string>> = {
  cancel: 'asked to end',
  retry: 'started anew',
  delete: 'deleted',
}

/** In percent of what there was at the beginning: what has changed since makes it no more than nearly done. */
async function recordProgress(
  tx: Queryable,
  { id, verb }: BulkJob,
  counts: BulkCounts,
  total: number | undefined,
): Promise<void> {
  const percent = total ? Math.min(99, Math.floor((counts.matched / total) * 100)) : 0
  const of = total === undefined ? '' : ` of ${total}`
  const text = `${counts.done}${of} ${DONE[verb]}`
  await tx.query(RECORD_PROGRESS, [id, percent, text, JSON.stringify({ ...counts, total })])
}
