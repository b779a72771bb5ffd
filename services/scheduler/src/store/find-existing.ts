/** Which jobs stand in the way of starts (rows J4, J19). */
import type { Queryable } from '@offstage/kit/database'
import type { ExistingJob, NewJob } from '../domain/held-job.ts'
import { JobState } from '../domain/job-state.ts'
import type { Payload } from '../domain/start-command.ts'
import { STANDING_COLUMNS, type StandingRow, standingFromRow } from './job-rows.ts'

/**
 * Four index look-ups for each: the id and the request id, if they are the owner's own, the unfinished holder of the key, and, while the key passes from one to
 * the next, who takes it then.
 */
const EXISTING = {
  name: 'find_existing_jobs',
  text: `
    SELECT u.place::int - 1 AS place, existing.*
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
      AS u(id, namespace, request_id, method, key, owner, place)
    CROSS JOIN LATERAL (
      SELECT ${STANDING_COLUMNS}, j.method, j.options->>'requestedMethod' AS requested_method, j.key, j.params, j.params_address, j.params_type, j.params_sha256, found.by,
        extract(epoch FROM now() - j.create_time)::float8 * 1000 AS age_ms
      FROM (
        SELECT id, 'request-id' AS by, 1 AS rank FROM offstage.jobs
        WHERE id = u.id AND namespace = u.namespace AND owner = u.owner
        UNION ALL
        SELECT id, 'request-id', 1 FROM offstage.jobs
        WHERE namespace = u.namespace AND owner = u.owner AND request_id = u.request_id
        UNION ALL
        SELECT id, 'key', 2 FROM offstage.jobs
        WHERE namespace = u.namespace AND method = u.method AND key = u.key AND state < ${JobState.succeeded} AND NOT behind_key
        UNION ALL
        (SELECT id, 'key', 3 FROM offstage.jobs
        WHERE namespace = u.namespace AND method = u.method AND key = u.key AND state = ${JobState.scheduled} AND behind_key
        ORDER BY create_time, id LIMIT 1)
      ) found JOIN offstage.jobs j ON j.id = found.id
      ORDER BY found.rank LIMIT 1
    ) existing`,
}

interface ExistingRow extends StandingRow {
  place: number
  method: string
  requested_method: string | null
  key: string | null
  params: Uint8Array | null
  params_address: string | null
  params_type: string | null
  params_sha256: Uint8Array | null
  by: ExistingJob['by']
  age_ms: number
}

export async function findExisting(
  database: Queryable,
  starts: readonly Pick<NewJob, 'id' | 'command'>[],
): Promise<(ExistingJob | undefined)[]> {
  const { rows } = await database.query<ExistingRow>(EXISTING, [
    starts.map(({ id }) => id),
    starts.map(({ command }) => command.namespace),
    starts.map(({ command }) => command.requestId || null),
    starts.map(({ command }) => command.method),
    starts.map(({ command }) => command.key || null),
    starts.map(({ command }) => command.owner),
  ])
  const found = new Map(rows.map((row) => [row.place, row]))
  return starts.map((_, place) => {
    const row = found.get(place)
    return row && existingFromRow(row)
  })
}

function existingFromRow(row: ExistingRow): ExistingJob {
  return {
    ...standingFromRow(row),
    method: row.method,
    requestedMethod: row.requested_method ?? undefined,
    key: row.key ?? '',
    params: paramsFromRow(row),
    ageMs: row.age_ms,
    by: row.by,
  }
}

function paramsFromRow(row: ExistingRow): Payload {
  return {
    inline: row.params ?? undefined,
    address: row.params_address ?? undefined,
    type: row.params_type ?? '',
    sha256: row.params_sha256 ?? undefined,
  }
}
