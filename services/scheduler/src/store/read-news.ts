import type { Queryable } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { MarkedJob } from '../ports/job-reads.ts'

/** Looked up one by one, however small the tables were when this was planned. */
const NEWS = {
  name: 'read_news',
  text: `
    SELECT marked.id, j.state, coalesce(p.revision, 0) AS progress_revision, coalesce(m.sequence, 0) AS sequence
    FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::int[]) AS marked(id, state, progress_revision, sequence)
    LEFT JOIN LATERAL (
      SELECT j.state FROM offstage.jobs j WHERE j.id = marked.id LIMIT 1) j ON true
    LEFT JOIN LATERAL (
      SELECT p.revision FROM offstage.job_progress p WHERE p.job_id = marked.id LIMIT 1) p ON true
    LEFT JOIN LATERAL (
      SELECT m.sequence FROM offstage.job_messages m WHERE m.job_id = marked.id
      ORDER BY m.sequence DESC LIMIT 1) m ON true
    WHERE j.state IS NULL OR j.state >= ${JobState.succeeded} OR j.state IS DISTINCT FROM marked.state
      OR coalesce(p.revision, 0) IS DISTINCT FROM marked.progress_revision
      OR coalesce(m.sequence, 0) IS DISTINCT FROM marked.sequence`,
}

interface NewsRow {
  id: string
  state: JobState | null
  progress_revision: number
  sequence: number
}

export async function readNews(
  database: Queryable,
  jobs: readonly MarkedJob[],
): Promise<MarkedJob[]> {
  const { rows } = await database.query<NewsRow>(NEWS, [
    jobs.map(({ id }) => id),
    jobs.map(({ mark }) => mark?.state ?? null),
    jobs.map(({ mark }) => mark?.progressRevision ?? null),
    jobs.map(({ mark }) => mark?.sequence ?? null),
  ])
  return rows.map(({ id, state, progress_revision: progressRevision, sequence }) => ({
    id,
    mark: state === null ? undefined : { state, progressRevision, sequence },
  }))
}
