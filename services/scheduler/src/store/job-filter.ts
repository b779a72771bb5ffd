/** The jobs a filter selects, for statements that may have to look at very many: they are given up after a time limit. */
import { type Database, type Queryable, sqlStateOf } from '@offstage/kit/database'
import type { JobFilter } from '../domain/job-query.ts'

const LIMIT_MS = 5_000
const QUERY_CANCELED = '57014'

/** SQL over jobs `j`; its parameters are {@link filterValues}. */
export const FILTER = `j.namespace = $1
      AND ($2::smallint[] IS NULL OR j.state = ANY ($2::smallint[]))
      AND ($3::text[] IS NULL OR j.method = ANY ($3::text[]))
      AND ($4::text IS NULL OR j.key = $4)
      AND ($5::text IS NULL OR j.owner = $5)
      AND ($6::smallint[] IS NULL OR j.kind = ANY ($6::smallint[]))
      AND ($7::uuid IS NULL OR j.parent_id = $7::uuid)
      AND ($8::jsonb IS NULL OR j.labels @> $8::jsonb)
      AND ($9::timestamptz IS NULL OR j.create_time >= $9::timestamptz)
      AND ($10::timestamptz IS NULL OR j.create_time < $10::timestamptz)`

/** The first ten parameters. */
export function filterValues(namespace: string, filter: JobFilter): unknown[] {
  return [
    namespace,
    someOf(filter.states),
    someOf(filter.methods),
    filter.key || null,
    filter.owner || null,
    someOf(filter.kinds),
    filter.parentId || null,
    Object.keys(filter.labels).length === 0 ? null : JSON.stringify(filter.labels),
    filter.createdFrom ?? null,
    filter.createdBefore ?? null,
  ]
}

/** Undefined when it took longer than the limit. */
export async function withinTime<T>(
  database: Database,
  limitMs = LIMIT_MS,
  read: (tx: Queryable) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await database.transaction(async (tx) => {
      await tx.query({ name: '', text: `SET LOCAL statement_timeout = ${limitMs}` })
      return await read(tx)
    })
  } catch (error) {
    if (sqlStateOf(error) === QUERY_CANCELED) return undefined
    throw error
  }
}

function someOf<T>(values: readonly T[]): readonly T[] | null {
  return values.length === 0 ? null : values
}
