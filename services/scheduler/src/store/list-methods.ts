import type { Queryable } from '@offstage/kit/database'
import { isForegroundInSql } from '../domain/foreground.ts'
import type { KnownMethod } from '../domain/known-method.ts'
import { definitionFromStored } from './method-definition-codec.ts'
import { readWhatCan } from './stored-shape.ts'

/** Executors are counted for the whole page at once. */
const LIST = {
  name: 'list_methods',
  text: `
    WITH page AS (
      SELECT m.name, m.definition FROM offstage.methods m
      WHERE m.namespace = $1 AND m.name > $2 ORDER BY m.name LIMIT $3::int
    ), serving AS (
      SELECT u.name, e.versions->>u.name AS version, count(DISTINCT a.session_key)::int AS executors
      FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
      CROSS JOIN LATERAL unnest(e.methods) AS u(name)
      WHERE a.namespace = $1 AND a.end_round IS NULL AND NOT ${isForegroundInSql('e.pools')} AND u.name IN (SELECT name FROM page)
      GROUP BY 1, 2
    ), counted AS (
      SELECT name, sum(executors)::int AS executors,
        json_agg(json_build_object('version', version, 'executors', executors) ORDER BY version) FILTER (WHERE version IS NOT NULL) AS versions
      FROM serving GROUP BY name
    )
    SELECT page.name, page.definition, g.pause_time IS NOT NULL AS paused, coalesce(counted.executors, 0) AS executors, counted.versions
    FROM page LEFT JOIN counted USING (name)
    LEFT JOIN offstage.method_gates g ON g.namespace = $1 AND g.method = page.name
    ORDER BY page.name`,
}

interface Row {
  name: string
  definition: unknown
  paused: boolean
  executors: number
  versions: KnownMethod['versions'] | null
}

/** By name, those after `after`. */
export async function listMethods(
  database: Queryable,
  namespace: string,
  { size, after }: { readonly size: number; readonly after: string },
): Promise<KnownMethod[]> {
  const { rows } = await database.query<Row>(LIST, [namespace, after, size])
  return rows.map(({ definition, versions, ...row }) => {
    const faults: string[] = []
    const read = readWhatCan(definitionFromStored, definition, faults)
    return { ...row, definition: read ?? { unreadable: faults.join() }, versions: versions ?? [] }
  })
}
