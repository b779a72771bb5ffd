import { setTimeout as pause } from 'node:timers/promises'
import type { Database, Queryable } from './database.ts'
import { sqlStateOf } from './errors.ts'
import {
  breaksOlder,
  checksumOf,
  type Migration,
  MigrationError,
  refuseGaps,
} from './migrations.ts'

interface AppliedMigration {
  version: number
  name: string
  checksum: string
  /** Null where it was applied by a release that recorded no such thing. */
  breaks: boolean | null
}

/** How whoever starts a migration follows it. */
export interface MigrationWatch {
  /** Told where the database is newer than the code, and the code may work with it all the same; and what is waited for. */
  warn?(text: string): void
  /** Ends the wait. */
  readonly signal?: AbortSignal
}

export interface MigrateOptions extends MigrationWatch {
  readonly schema: string
  readonly migrations: readonly Migration[]
}

/** 'offstage' in hex, the first half of the advisory lock; the second is the schema's hash. */
const lockSpace = 0x6f666673

/** Everybody else waits behind a migration that waits for its tables: so it gives way soon, and asks again. */
const LOCK_WAIT_MS = 1_000
const AGAIN_AFTER_MS = 2_000

/**
 * Brings `schema` (created when missing) to the last of `migrations`, each in a transaction of its
 * own, with search_path set to the schema and no statement timeout. What has been applied is kept
 * in the schema's table `offstage_migrations`. Any number of processes may do this at once: one
 * transaction at a time holds the lock and looks anew at what is left. Tables that others hold for long, as a backup does, are
 * waited for without keeping anybody else from them. Where nothing is left it only
 * reads, so a role that may make no tables will do. Throws a MigrationError when an applied migration
 * is not the one given, the role may not do what is left, or the database is newer than the code by a migration that
 * breaks older releases.
 */
export async function migrate(database: Database, options: MigrateOptions): Promise<void> {
  const { schema, migrations } = options
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new MigrationError(`"${schema}" is not a plain schema name`)
  }
  refuseGaps(migrations)
  if (await isComplete(database, options)) return
  try {
    await applyAll(database, options)
  } catch (cause) {
    if (isRefusedWith(DENIED, cause))
      throw new MigrationError(deniedText(schema, cause as Error), { cause })
    throw cause
  }
}

async function applyAll(database: Database, options: MigrateOptions): Promise<void> {
  const { schema, migrations, warn, signal } = options
  for (let hasTold = false; ; ) {
    try {
      if (!(await database.transaction((tx) => applyNext(tx, schema, migrations)))) return
    } catch (error) {
      if (!isRefusedWith(LOCKED, error)) throw error
      if (!hasTold) warn?.(`${(error as Error).message}: waiting for those who hold the table`)
      hasTold = true
      await pause(AGAIN_AFTER_MS, undefined, { signal })
    }
  }
}

const DENIED = '42501'
const LOCKED = '55P03'

function isRefusedWith(state: string, error: unknown): boolean {
  return [error, (error as Error).cause].some((each) => sqlStateOf(each) === state)
}

function deniedText(schema: string, { message }: Error): string {
  return (
    `schema ${schema} is not at the version of this program, and this role may not bring it there (${message}): ` +
    'run the migrations first, as the role they belong to'
  )
}

/** Whether all has been applied, as far as this role may see. */
async function isComplete(database: Database, options: MigrateOptions): Promise<boolean> {
  const { schema, migrations, warn } = options
  const { rows } = await database.query<{ readable: boolean | null }>({
    name: '',
    text: `SELECT has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = '${schema}' AND c.relname = 'offstage_migrations'`,
  })
  if (!rows[0]?.readable) return false
  const applied = await readApplied(database, schema)
  verify(schema, applied, migrations)
  const newest = applied.at(-1)
  if (newest !== undefined && newest.version > migrations.length)
    warn?.(`${newerText(schema, newest, migrations)}; it may work with it all the same`)
  return applied.length >= migrations.length
}

/** Applies the first migration that is left; false when there was none. */
async function applyNext(
  tx: Queryable,
  schema: string,
  migrations: readonly Migration[],
): Promise<boolean> {
  await prepare(tx, schema)
  const applied = await readApplied(tx, schema)
  verify(schema, applied, migrations)
  const next = migrations[applied.length]
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
      text: `INSERT INTO ${schema}.offstage_migrations (version, name, checksum, breaks) VALUES ($1, $2, $3, $4)`,
    },
    [next.version, next.name, checksumOf(next), breaksOlder(next)],
  )
  return true
}

/** Reads a table without the column `breaks` too, for which a role that only reads can do nothing. */
async function readApplied(database: Queryable, schema: string): Promise<AppliedMigration[]> {
  const { rows } = await database.query<AppliedMigration>({
    name: '',
    text: `SELECT version, name, checksum, (to_jsonb(applied) ->> 'breaks')::boolean AS breaks
      FROM ${schema}.offstage_migrations applied ORDER BY version`,
  })
  return rows
}

/** The lock comes first: CREATE … IF NOT EXISTS fails when two do it at the same moment. */
async function prepare(tx: Queryable, schema: string): Promise<void> {
  await tx.query({
    name: '',
    text: `
      SET LOCAL statement_timeout = 0;
      SELECT pg_advisory_xact_lock(${lockSpace}, hashtext('${schema}'));
      SET LOCAL lock_timeout = ${LOCK_WAIT_MS};
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
        applied_at timestamptz NOT NULL DEFAULT now(),
        breaks boolean
      );
      ALTER TABLE ${schema}.offstage_migrations ADD COLUMN IF NOT EXISTS breaks boolean`,
  })
}

function verify(
  schema: string,
  applied: readonly AppliedMigration[],
  migrations: readonly Migration[],
): void {
  const breaking = applied.slice(migrations.length).find(({ breaks }) => breaks !== false)
  if (breaking !== undefined) {
    throw new MigrationError(
      `${newerText(schema, breaking, migrations)}, and breaks it: run the release that brought it, or a later one`,
    )
  }
  for (const [index, { version, name, checksum }] of applied
    .slice(0, migrations.length)
    .entries()) {
    const known = migrations[index]
    if (known?.version === version && checksumOf(known) === checksum) continue
    throw new MigrationError(
      `migration ${version} (${name}) of schema ${schema} has been changed since it was applied`,
    )
  }
}

function newerText(
  schema: string,
  { version, name }: AppliedMigration,
  migrations: readonly Migration[],
): string {
  return `schema ${schema} is at version ${version} (${name}), newer than this program, which knows ${migrations.length}`
}
