import { setTimeout as pause } from 'node:timers/promises'
import { buildIndex, concurrentIndexes, withoutConcurrently } from './concurrent-indexes.ts'
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
const lockOf = (schema: string) => `${lockSpace}, hashtext('${schema}')`

/** Everybody else waits behind a migration that waits for its tables: so it gives way soon, and asks again. */
const LOCK_WAIT_MS = 1_000
const AGAIN_AFTER_MS = 2_000
/** Between two looks whether somebody else has done with migrating. */
const BUSY_MS = 200

/**
 * Brings `schema` (created when missing) to the last of `migrations`, each in a transaction of its
 * own, with search_path set to the schema and no statement timeout. What has been applied is kept
 * in the schema's table `offstage_migrations`. Any number of processes may do this at once: one
 * at a time holds the lock and looks anew at what is left. Tables that others hold for long, as a backup does, are
 * waited for without keeping anybody else from them, and indexes that are to be made while others write are (concurrent-indexes.ts).
 * Where nothing is left it only
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

/** `applied`: look for the next one; `busy`: somebody else migrates. */
type Step = 'applied' | 'busy' | 'done'

async function applyAll(database: Database, options: MigrateOptions): Promise<void> {
  const { warn, signal } = options
  for (let hasTold = false; ; ) {
    try {
      const step = await applyNext(database, options)
      if (step === 'done') return
      if (step === 'busy') await pause(BUSY_MS, undefined, { signal })
    } catch (error) {
      if (!isRefusedWith(LOCKED, error)) throw error
      if (!hasTold) warn?.(`${(error as Error).message}: waiting for those who hold the table`)
      hasTold = true
      await pause(AGAIN_AFTER_MS, undefined, { signal })
    }
  }
}

/** Applies the first migration that is left. */
async function applyNext(database: Database, options: MigrateOptions): Promise<Step> {
  let apart: Apart | undefined
  const step = await database.transaction(async (tx): Promise<Step> => {
    if (!(await prepare(tx, options.schema))) return 'busy'
    const next = await nextOf(tx, options)
    if (next === undefined) return 'done'
    const indexes = concurrentIndexes(next)
    if (indexes !== undefined && database.kind === 'postgres') {
      apart = { next, indexes }
      return 'applied'
    }
    const sql = indexes?.map((index) => `${withoutConcurrently(index)};`).join('\n') ?? next.sql
    await naming(next, options, () => tx.query({ name: '', text: sql }))
    await note(tx, options.schema, next)
    return 'applied'
  })
  return apart === undefined ? step : await applyApart(database, options, apart)
}

interface Apart {
  readonly next: Migration
  readonly indexes: NonNullable<ReturnType<typeof concurrentIndexes>>
}

async function applyApart(
  database: Database,
  options: MigrateOptions,
  { next, indexes }: Apart,
): Promise<Step> {
  const { schema, warn } = options
  return await database.session(async (session): Promise<Step> => {
    const text = `SET statement_timeout = 0; SET search_path TO ${schema}, public;
      SELECT pg_try_advisory_lock(${lockOf(schema)}) AS held`
    const { rows } = await session.query<{ held: boolean }>({ name: '', text })
    if (!rows[0]?.held) return 'busy'
    // Somebody else may have been first.
    if ((await nextOf(session, options))?.version !== next.version) return 'applied'
    for (const index of indexes) {
      warn?.(`making the index ${schema}.${index.name}, while others go on writing to its table`)
      await naming(next, options, () => buildIndex(session, schema, index))
    }
    await note(session, schema, next)
    return 'applied'
  })
}

/** The first migration that is left. */
async function nextOf(
  database: Queryable,
  { schema, migrations }: MigrateOptions,
): Promise<Migration | undefined> {
  const applied = await readApplied(database, schema)
  verify(schema, applied, migrations)
  return migrations[applied.length]
}

async function naming(
  { version, name }: Migration,
  { schema }: MigrateOptions,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const text = `migration ${version} (${name}) of schema ${schema} failed: ${reason}`
    throw new MigrationError(text, { cause })
  }
}

async function note(database: Queryable, schema: string, migration: Migration): Promise<void> {
  const { version, name } = migration
  await database.query(
    {
      name: '',
      text: `INSERT INTO ${schema}.offstage_migrations (version, name, checksum, breaks) VALUES ($1, $2, $3, $4)`,
    },
    [version, name, checksumOf(migration), breaksOlder(migration)],
  )
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

/** Reads a table without the column `breaks` too, for which a role that only reads can do nothing. */
async function readApplied(database: Queryable, schema: string): Promise<AppliedMigration[]> {
  const { rows } = await database.query<AppliedMigration>({
    name: '',
    text: `SELECT version, name, checksum, (to_jsonb(applied) ->> 'breaks')::boolean AS breaks
      FROM ${schema}.offstage_migrations applied ORDER BY version`,
  })
  return rows
}

/**
 * False where somebody else holds the lock. It comes first: CREATE … IF NOT EXISTS fails when two do it at the same moment. Nobody waits for
 * it in a statement, whose snapshot would be waited for by who holds it and makes an index.
 */
async function prepare(tx: Queryable, schema: string): Promise<boolean> {
  const { rows } = await tx.query<{ held: boolean }>({
    name: '',
    text: `SET LOCAL statement_timeout = 0; SELECT pg_try_advisory_xact_lock(${lockOf(schema)}) AS held`,
  })
  if (!rows[0]?.held) return false
  await tx.query({
    name: '',
    text: `
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
  return true
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
