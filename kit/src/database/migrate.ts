import type { Database, Queryable } from './database.ts'
import { checksumOf, type Migration, MigrationError, refuseGaps } from './migrations.ts'

interface AppliedMigration {
  version: number
  name: string
  checksum: string
}

/** 'offstage' in hex, the first half of the advisory lock; the second is the schema's hash. */
const lockSpace = 0x6f666673

/**
 * Brings `schema` (created when missing) to the last of `migrations`, each in a transaction of its
 * own, with search_path set to the schema and no statement timeout. What has been applied is kept
 * in the schema's table `offstage_migrations`. Any number of processes may do this at once: one
 * transaction at a time holds the lock and looks anew at what is left. Throws a MigrationError when
 * an applied migration is not the one given, or the database is newer than the code.
 */
export async function migrate(
  database: Database,
  options: { schema: string; migrations: readonly Migration[] },
): Promise<void> {
  const { schema, migrations } = options
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new MigrationError(`"${schema}" is not a plain schema name`)
  }
  refuseGaps(migrations)
  let applied = true
  while (applied) applied = await database.transaction((tx) => applyNext(tx, schema, migrations))
}

/** Applies the first migration that is left; false when there was none. */
async function applyNext(
  tx: Queryable,
  schema: string,
  migrations: readonly Migration[],
): Promise<boolean> {
  await prepare(tx, schema)
  const { rows } = await tx.query<AppliedMigration>({
    name: '',
    text: 'SELECT version, name, checksum FROM offstage_migrations ORDER BY version',
  })
  verify(schema, rows, migrations)
  const next = migrations[rows.length]
  if (next === undefined) return false
  try {
    await tx.query({ name: '', text: next.sql })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const text = `migration ${next.version} (${next.name}) of schema ${schema} failed: ${reason}`
    throw new MigrationError(text, { cause })
  }
  await tx.query(
    {
      name: '',
      text: `INSERT INTO ${schema}.offstage_migrations (version, name, checksum) VALUES ($1, $2, $3)`,
    },
    [next.version, next.name, checksumOf(next)],
  )
  return true
}

/** The lock comes first: CREATE … IF NOT EXISTS fails when two do it at the same moment. */
async function prepare(tx: Queryable, schema: string): Promise<void> {
  await tx.query({
    name: '',
    text: `
      SET LOCAL statement_timeout = 0;
      SELECT pg_advisory_xact_lock(${lockSpace}, hashtext('${schema}'));
      SET LOCAL client_min_messages = warning;
      CREATE SCHEMA IF NOT EXISTS ${schema};
      SET LOCAL search_path TO ${schema}, public;
      CREATE TABLE IF NOT EXISTS ${schema}.offstage_migrations (
        version integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )`,
  })
}

function verify(
  schema: string,
  applied: readonly AppliedMigration[],
  migrations: readonly Migration[],
): void {
  const newest = applied.at(-1)
  if (newest !== undefined && newest.version > migrations.length) {
    throw new MigrationError(
      `schema ${schema} is at version ${newest.version} (${newest.name}), newer than this program, which knows ${migrations.length}`,
    )
  }
  for (const [index, { version, name, checksum }] of applied.entries()) {
    const known = migrations[index]
    if (known?.version === version && checksumOf(known) === checksum) continue
    throw new MigrationError(
      `migration ${version} (${name}) of schema ${schema} has been changed since it was applied`,
    )
  }
}
