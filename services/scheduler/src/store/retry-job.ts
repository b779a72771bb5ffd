/**
 * Starting a job anew that has failed or was canceled (row J25): under its id, with new attempts, which are numbered on. What it was
 * given and what its attempts have left stays; what its end was is forgotten.
 *
 * Invariants:
 *  1. Of any number of calls at once one starts it anew: each locks its row first.
 *  2. One that is said again by its request id changes nothing, however the job has ended since.
 *  3. The key is taken in the same transaction (guarantee 3), and from nobody who waits for it.
 */

import { type Database, type Queryable, sqlStateOf } from '@offstage/kit/database'
import { actOn } from '../domain/act.ts'
import { isBulkJob } from '../domain/bulk-job.ts'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { ChangedJob, KeyHolder, RetriedJob, RetryRequest } from '../domain/held-job.ts'
import type { JobKind } from '../domain/job-kind.ts'
import { JobState, leaving, TRANSITIONS } from '../domain/job-state.ts'
import { storedLaneInSql } from '../domain/lane.ts'
import { poolOfVersionInSql } from '../domain/pool.ts'
import { recordAct } from './acts.ts'
import { HOME_OPTIONS, HOME_POOL } from './foreground.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'
import { keyNotInHand } from './key-in-hand.ts'
import { countsForParent, lockParentsOf } from './parents.ts'
import { WAITS_BRIEFLY } from './waits-briefly.ts'

/** Of a job so many of its newest are known again. */
const REQUEST_IDS_MAX = 10

const LOCK = {
  name: 'lock_job_to_retry',
  text: `
    SELECT j.id, j.owner, j.state, j.kind, j.method, j.key,
      coalesce($4::text = ANY (j.retry_request_ids), false) AS repeated
    FROM offstage.jobs j
    WHERE j.id = $2::uuid AND j.namespace = $1 AND ($3::text IS NULL OR j.owner = $3)
    FOR NO KEY UPDATE`,
}

interface LockedRow {
  id: string
  owner: string
  state: JobState
  kind: JobKind
  method: string
  key: string | null
  /** By this request id it has been started anew before. */
  repeated: boolean
}

/** Who holds a key, and first of all who is to have it next. */
const HOLDER = {
  name: 'read_key_holder',
  text: `
    SELECT j.id, j.owner, extract(epoch FROM now() - j.create_time)::float8 * 1000 AS age_ms
    FROM offstage.jobs j
    WHERE j.namespace = $1 AND j.method = $2 AND j.key = $3 AND j.state < ${JobState.succeeded}
    ORDER BY j.behind_key, j.create_time, j.id LIMIT 1`,
}

/** None where what is stored is no number: who takes the job finds that out. */
const fromNow = (option: string) => `
        CASE jsonb_typeof(j.options->'${option}') WHEN 'number'
          THEN now() + (j.options->>'${option}')::float8 * interval '1 ms' END`

/** The process that ran it is not asked again: it goes where any other job does. */
const IS_FOREGROUND = `coalesce(j.options ? 'foreground', false)`

const POOL = poolOfVersionInSql(
  `CASE WHEN ${IS_FOREGROUND} THEN ${HOME_POOL} ELSE j.pool END`,
  '$3::text',
)

/**
 * Attached children of before count no more, and it is attached itself only where its parent still waits for it: that one is locked, and
 * whoever is about to end it by what this job came to sees by the count that there is another end to wait for.
 */
const RETRY = {
  name: 'retry_jobs',
  text: `
    WITH counted AS (
      UPDATE offstage.jobs p SET attached_count = p.attached_count + c.count
      FROM (
        SELECT j.attached_to AS id, count(*) FROM offstage.jobs j WHERE j.id = ANY ($1::uuid[]) AND ${countsForParent('j')} GROUP BY j.attached_to
      ) c
      WHERE p.id = c.id
    )
    UPDATE offstage.jobs j SET revision = j.revision + 1, state = ${TRANSITIONS.startAnew.to},
      pool = ${POOL}, lane = ${storedLaneInSql('j.lane', POOL)},
      options = CASE WHEN ${IS_FOREGROUND} THEN ${HOME_OPTIONS} ELSE j.options END,
      failures = 0, attached_after = CASE WHEN j.attached_count IS NOT NULL THEN j.attempt END,
      attached_to = CASE WHEN ${countsForParent('j')} THEN j.attached_to END,
      crash_count = 0, crashed_sessions = NULL, renewed_attempt = j.attempt,
      retry_request_ids = CASE WHEN $2::text IS NULL THEN j.retry_request_ids
        ELSE (array_prepend($2, j.retry_request_ids))[1:${REQUEST_IDS_MAX}] END,
      due_time = NULL, finish_time = NULL, behind_key = false,
      queue_deadline = ${fromNow('queueDeadlineMs')}, total_deadline = ${fromNow('totalDeadlineMs')},
      cancel_time = NULL, cancel_deadline = NULL, cancel_cascade = false, cancel_reason = NULL,
      cancel_outcome = ${CancelOutcome.unknown},
      result = NULL, result_address = NULL, result_type = NULL, result_sha256 = NULL, additional_result = NULL
    WHERE ${WAITS_BRIEFLY} AND j.id = ANY ($1::uuid[]) AND ${leaving('startAnew', 'j.state')}
      AND (j.key IS NULL OR ${keyNotInHand('j.namespace', 'j.method', 'j.key')})
    RETURNING ${CHANGED_COLUMNS}`,
}

interface AnewTerms {
  readonly requestId?: string | undefined
  readonly requiredVersion?: string | undefined
}

/** Jobs whose rows are locked, after those of their parents, and whose keys nobody holds; those are left out whose key is about to be taken. */
export async function startAnew(
  tx: Queryable,
  ids: readonly string[],
  { requestId, requiredVersion }: AnewTerms,
): Promise<ChangedJob[]> {
  if (ids.length === 0) return []
  const values = [ids, requestId ?? null, requiredVersion ?? null]
  return (await tx.query<ChangedRow>(RETRY, values)).rows.map(changedFromRow)
}

export async function retryJob(database: Database, request: RetryRequest): Promise<RetriedJob> {
  try {
    return await database.transaction((tx) => retry(tx, request))
  } catch (error) {
    // Somebody took the key in the meantime: another look tells who.
    if (sqlStateOf(error) === '23505') return { kind: 'key-taken', holder: undefined }
    throw error
  }
}

async function retry(tx: Queryable, request: RetryRequest): Promise<RetriedJob> {
  const { namespace, jobId, owner = null, requestId, requiredVersion, by } = request
  const asked = requestId === '' ? undefined : requestId
  await lockParentsOf(tx, [jobId])
  const { rows } = await tx.query<LockedRow>(LOCK, [namespace, jobId, owner, asked ?? null])
  const [locked] = rows
  if (locked === undefined) return { kind: 'missing' }
  const { state, method, key } = locked
  if (locked.repeated) return { kind: 'repeated' }
  if (isBulkJob(locked)) return { kind: 'bulk-job' }
  if (!([JobState.failed, JobState.canceled] as JobState[]).includes(state)) {
    return { kind: 'not-retryable', state }
  }
  if (key !== null) {
    const holder = await readHolder(tx, namespace, method, key)
    if (holder !== undefined) return { kind: 'key-taken', holder: { key, ...holder } }
  }
  const [job] = await startAnew(tx, [jobId], { requestId: asked, requiredVersion })
  // Its row is locked: what is in the way is a transaction that is about to take the key.
  if (job === undefined) return { kind: 'key-taken', holder: undefined }
  if (locked.owner !== by.user) await recordAct(tx, actOn(by, namespace, [locked], 'OK'))
  return { kind: 'retried', job }
}

async function readHolder(
  tx: Queryable,
  namespace: string,
  method: string,
  key: string,
): Promise<Omit<KeyHolder, 'key'> | undefined> {
  const { rows } = await tx.query<{ id: string; owner: string; age_ms: number }>(HOLDER, [
    namespace,
    method,
    key,
  ])
  return rows[0] && { id: rows[0].id, owner: rows[0].owner, ageMs: rows[0].age_ms }
}
