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
import type { Database } from '@offstage/kit/database'
import type { Job } from '../domain/job.ts'
import type { JobFilter, JobPage } from '../domain/job-query.ts'
import { FILTER, filterValues, withinTime } from './job-filter.ts'
import { FULL_JOB_COLUMNS, JOB_COLUMNS, type JobRow, jobFromRow } from './job-rows.ts'

/** Not prepared: the plan depends on which filters are set. */
const listing = (columns: string) => ({
  name: '',
  text: `
    SELECT ${columns} FROM offstage.jobs j
    WHERE ${FILTER} AND ($11::uuid IS NULL OR j.id < $11::uuid)
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
  limitMs?: number,
): Promise<Job[] | undefined> {
  const values = [...filterValues(namespace, filter), page.before ?? null, page.size]
  return await withinTime(database, limitMs, async (tx) => {
    const { rows } = await tx.query<JobRow>(LISTINGS[page.view], values)
    return rows.map(jobFromRow)
  })
}
