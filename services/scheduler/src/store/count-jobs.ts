/** Counts of jobs. They look at every job the filter selects, so they have the time limit of listings. */
import type { Database } from '@offstage/kit/database'
import type { JobCount, JobDimension, JobFilter, JobScope } from '../domain/job-query.ts'
import type { JobState } from '../domain/job-state.ts'
import { selecting, withinTime } from './job-filter.ts'

const COLUMNS: Readonly<Record<JobDimension, string>> = {
  state: 'j.state',
  method: 'j.method COLLATE "C"',
  createMinute: "date_trunc('minute', j.create_time, 'UTC')",
}
const NONE: Readonly<Record<JobDimension, string>> = {
  state: 'NULL::smallint',
  method: 'NULL::text',
  createMinute: 'NULL::timestamptz',
}

interface CountRow {
  state: JobState | null
  method: string | null
  create_minute: Date | null
  count: number
}

/** Newest minute first, then by method and state; undefined when it took longer than the time limit. */
export async function countJobs(
  database: Database,
  scope: JobScope,
  filter: JobFilter,
  by: readonly JobDimension[],
  limit: number,
  limitMs?: number,
): Promise<JobCount[] | undefined> {
  const column = (dimension: JobDimension) => (by.includes(dimension) ? COLUMNS : NONE)[dimension]
  const { where, add, values, byIndex } = selecting(scope, filter)
  const text = `
    SELECT ${column('state')} AS state, ${column('method')} AS method,
      ${column('createMinute')} AS create_minute, count(*) AS count
    FROM offstage.jobs j WHERE ${where}
    GROUP BY 1, 2, 3
    ORDER BY 3 DESC, 2, 1
    LIMIT ${add(limit)}::int`
  return await withinTime(
    database,
    limitMs,
    async (tx) => {
      const { rows } = await tx.query<CountRow>({ name: '', text }, values)
      return rows.map((row) => ({
        state: row.state ?? undefined,
        method: row.method ?? undefined,
        createMinute: row.create_minute ?? undefined,
        count: row.count,
      }))
    },
    byIndex,
  )
}
