import type { Database, Queryable } from './database.ts'
import { sqlStateOf } from './errors.ts'
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
 * transaction at a time holds the lock and looks anew at what is left. Where nothing is left it only
 * reads, so a role that may make no tables will do. Throws a MigrationError when an applied migration
 * is not the one given, the database is newer than the code, or the role may not do what is left.
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
  if (await isComplete(database, schema, migrations)) return
  try {
    let applied = true
    while (applied) applied = await database.transaction((tx) => applyNext(tx, schema, migrations))
  } catch (cause) {
    const denied = [cause, (cause as Error).cause].some((each) => sqlStateOf(each) === DENIED)
    if (denied) throw new MigrationError(deniedText(schema, cause as Error), { cause })
    throw cause
  }
}

const DENIED = '42501'

function deniedText(schema: string, { message }: Error): string {
  return (
    `schema ${schema} is not at the version of this program, and this role may not bring it there (${message}): ` +
    'run the migrations first, as the role they belong to'
  )
}

/** Whether all has been applied, as far as this role may see. */
async function isComplete(
  database: Database,
  schema: string,
  migrations: readonly Migration[],
): Promise<boolean> {
  const table = `${schema}.offstage_migrations`
  const { rows } = await database.query<{ readable: boolean | null }>({
    name: '',
    text: `SELECT has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = '${schema}' AND c.relname = 'offstage_migrations'`,
  })
  if (!rows[0]?.readable) return false
  const { rows: applied } = await database.query<AppliedMigration>({
    name: '',
    text: `SELECT version, name, checksum FROM ${table} ORDER BY version`,
  })
  verify(schema, applied, migrations)
  return applied.length === migrations.length
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
      DO $$ BEGIN
        -- IF NOT EXISTS would ask for the right to make schemas even where there is nothing to make.
        IF to_regnamespace('${schema}') IS NULL THEN CREATE SCHEMA ${schema}; END IF;
      END $$;
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
