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
import type { JobFilter, JobPage, JobScope } from '../domain/job-query.ts'
import { inOrder, selecting, withinTime } from './job-filter.ts'
import { FULL_JOB_COLUMNS, JOB_COLUMNS, type JobRow, jobFromRow } from './job-rows.ts'

const COLUMNS = { basic: JOB_COLUMNS, full: FULL_JOB_COLUMNS }

/** Undefined when it took longer than the time limit. */
export async function listJobs(
  database: Database,
  scope: JobScope,
  filter: JobFilter,
  page: JobPage,
  limitMs?: number,
): Promise<Job[] | undefined> {
  const selection = selecting(scope, filter)
  const { where, add, values, byIndex } = selection
  const below = page.before === undefined ? '' : `AND j.id < ${add(page.before)}::uuid`
  const jobs = `FROM offstage.jobs j WHERE ${where} ${below}`
  // Not prepared: the plan depends on what is asked for.
  const text = `
    SELECT ${COLUMNS[page.view]} ${inOrder(selection, jobs)}
    ORDER BY j.id DESC
    LIMIT ${add(page.size)}::int`
  return await withinTime(
    database,
    limitMs,
    async (tx) => {
      const { rows } = await tx.query<JobRow>({ name: '', text }, values)
      return rows.map(jobFromRow)
    },
    byIndex,
  )
}
