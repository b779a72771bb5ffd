/**
 * Migrations that make indexes on tables that may be large, while others go on writing to them: they say so in a line
 * `-- concurrently`, and hold nothing but `CREATE INDEX CONCURRENTLY IF NOT EXISTS name ON …;`, which no transaction may.
 *
 * Whoever builds holds the lock in the session that builds: where its process dies, the server goes on building, and holds it, until
 * the index is there. One that was given up, by a restart of the server or for a value that is there twice, is left as invalid:
 * it is dropped, and built anew.
 */
import type { Queryable } from './database.ts'
import { type Migration, MigrationError } from './migrations.ts'

interface ConcurrentIndex {
  readonly name: string
  readonly sql: string
}

const INDEX = /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS ([a-z_][a-z0-9_]*)\s+ON\s/

/**
 * The indexes of a migration that is built apart; undefined for all others. Throws a MigrationError where such a one holds something
 * else.
 */
export function concurrentIndexes({
  version,
  name,
  sql,
}: Migration): ConcurrentIndex[] | undefined {
  if (!/^-- concurrently\b/m.test(sql)) return undefined
  const statements = sql
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .map((text) => text.trim())
    .filter((text) => text !== '')
  return statements.map((text) => {
    const [, index] = INDEX.exec(text) ?? []
    if (index !== undefined) return { name: index, sql: text }
    throw new MigrationError(
      `migration ${version} (${name}) is one of -- concurrently, which may hold nothing but CREATE INDEX CONCURRENTLY IF NOT EXISTS`,
    )
  })
}

/** For a database that nobody else is in. */
export function withoutConcurrently({ name, sql }: ConcurrentIndex): string {
  return sql.replace(/ CONCURRENTLY IF NOT EXISTS \w+/, ` IF NOT EXISTS ${name}`)
}

/** Makes the index, in a session without a transaction, unless it is there and whole. */
export async function buildIndex(
  session: Queryable,
  schema: string,
  { name, sql }: ConcurrentIndex,
): Promise<void> {
  const { rows } = await session.query({
    name: '',
    text: `SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = '${schema}' AND c.relname = '${name}' AND NOT i.indisvalid`,
  })
  if (rows.length > 0) {
    await session.query({ name: '', text: `DROP INDEX CONCURRENTLY ${schema}.${name}` })
  }
  await session.query({ name: '', text: sql })
}
