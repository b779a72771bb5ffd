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
      SELECT u.name, count(DISTINCT a.session_key)::int AS executors
      FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
      CROSS JOIN LATERAL unnest(e.methods) AS u(name)
      WHERE a.namespace = $1 AND a.end_round IS NULL AND NOT ${isForegroundInSql('e.pools')} AND u.name IN (SELECT name FROM page)
      GROUP BY u.name
    )
    SELECT page.name, page.definition, g.pause_time IS NOT NULL AS paused, coalesce(serving.executors, 0) AS executors
    FROM page LEFT JOIN serving USING (name)
    LEFT JOIN offstage.method_gates g ON g.namespace = $1 AND g.method = page.name
    ORDER BY page.name`,
}

interface Row {
  name: string
  definition: unknown
  paused: boolean
  executors: number
}

/** By name, those after `after`. */
export async function listMethods(
  database: Queryable,
  namespace: string,
  { size, after }: { readonly size: number; readonly after: string },
): Promise<KnownMethod[]> {
  const { rows } = await database.query<Row>(LIST, [namespace, after, size])
  return rows.map(({ name, definition, paused, executors }) => {
    const faults: string[] = []
    const read = readWhatCan(definitionFromStored, definition, faults)
    return { name, definition: read ?? { unreadable: faults.join() }, paused, executors }
  })
}
