import type { Queryable } from '@offstage/kit/database'
import type { JobId } from '../domain/ids.ts'
import { leaving } from '../domain/job-state.ts'
import { spelledPool, spelledPoolInSql } from '../domain/pool.ts'
import type { HeldJobs } from '../ports/job-reads.ts'

/** What runs or waits is with an attachment: of those there are few. */
const LIST = {
  name: 'list_held',
  text: `
    SELECT j.id FROM offstage.attachments a JOIN offstage.jobs j ON j.attachment_id = a.id
    WHERE a.namespace = $1 AND ${leaving('cancelRunning', 'j.state')} AND ($2::text IS NULL OR j.method = $2)
      AND ($5::text IS NULL OR ${spelledPoolInSql('j.pool')} = $5)
      AND j.cancel_time IS NULL AND ($3::uuid IS NULL OR j.id > $3)
    ORDER BY j.id LIMIT $4::int`,
}

/** In the order of their ids, those after `after`; what is canceled already is left out. */
export async function listHeld(
  database: Queryable,
  namespace: string,
  { method, pool }: HeldJobs,
  { size, after }: { readonly size: number; readonly after: string | undefined },
): Promise<JobId[]> {
  const spelled = pool === undefined ? null : spelledPool(pool)
  const values = [namespace, method ?? null, after ?? null, size, spelled]
  const { rows } = await database.query<{ id: JobId }>(LIST, values)
  return rows.map(({ id }) => id)
}
