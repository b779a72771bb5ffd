/**
 * Listing jobs, newest first; ids sort by creation time.
 *
 * A listing walks down the ids until its page is full, which is quick while the filter matches often. What matches little
 * has an index where it costs the hot path nothing: parent and unfinished states have theirs anyway, keys and labels one
 * that jobs without them are not in, and times a BRIN, of some pages. An index on owners would make every start and
 * every end dearer by about a third (measured: 464 bytes of WAL instead of 333, for each), one on methods as well; so the
 * listings of somebody with few jobs among very many, or of a rare method, read on at about ten million jobs a second,
 * and are given up after a time limit (guarantee 6).
 */
import { type Database, sqlStateOf } from '@offstage/kit/database'
import type { Job } from '../domain/job.ts'
import type { JobFilter, JobPage } from '../ports.ts'
import { FULL_JOB_COLUMNS, JOB_COLUMNS, type JobRow, jobFromRow } from './job-rows.ts'

const LIMIT_MS = 5_000
const QUERY_CANCELED = '57014'

/** Not prepared: the plan depends on which filters are set. */
const listing = (columns: string) => ({
  name: '',
  text: `
    SELECT ${columns} FROM offstage.jobs j
    WHERE j.namespace = $1
      AND ($2::uuid IS NULL OR j.id < $2::uuid)
      AND ($3::smallint[] IS NULL OR j.state = ANY ($3::smallint[]))
      AND ($4::text[] IS NULL OR j.method = ANY ($4::text[]))
      AND ($5::text IS NULL OR j.key = $5)
      AND ($6::text IS NULL OR j.owner = $6)
      AND ($7::smallint[] IS NULL OR j.kind = ANY ($7::smallint[]))
      AND ($8::uuid IS NULL OR j.parent_id = $8::uuid)
      AND ($9::jsonb IS NULL OR j.labels @> $9::jsonb)
      AND ($10::timestamptz IS NULL OR j.create_time >= $10::timestamptz)
      AND ($11::timestamptz IS NULL OR j.create_time < $11::timestamptz)
    ORDER BY j.id DESC
    LIMIT $12::int`,
})
const LISTINGS = { basic: listing(JOB_COLUMNS), full: listing(FULL_JOB_COLUMNS) }

/** Undefined when it took longer than the time limit. */
export async function listJobs(
  database: Database,
  namespace: string,
  filter: JobFilter,
  page: JobPage,
  limitMs = LIMIT_MS,
): Promise<Job[] | undefined> {
  const values = [
    namespace,
    page.before ?? null,
    someOf(filter.states),
    someOf(filter.methods),
    filter.key || null,
    filter.owner || null,
    someOf(filter.kinds),
    filter.parentId || null,
    Object.keys(filter.labels).length === 0 ? null : JSON.stringify(filter.labels),
    filter.createdFrom ?? null,
    filter.createdBefore ?? null,
    page.size,
  ]
  try {
    return await database.transaction(async (tx) => {
      await tx.query({ name: '', text: `SET LOCAL statement_timeout = ${limitMs}` })
      const { rows } = await tx.query<JobRow>(LISTINGS[page.view], values)
      return rows.map(jobFromRow)
    })
  } catch (error) {
    if (sqlStateOf(error) === QUERY_CANCELED) return undefined
    throw error
  }
}

function someOf<T>(values: readonly T[]): readonly T[] | null {
  return values.length === 0 ? null : values
}
