/**
 * PGlite for tests, one after the other: to open one and to migrate it takes longer than most of them. Whoever closes theirs
 * gives it back, and the next one has it as a scheduler leaves an empty database. One whose tables, functions or statistics a test
 * has changed, or that has grown, is closed instead.
 */
import { type Database, openPglite, type Statement } from '@offstage/kit/database'
import { migrateJobs } from '../store/tables.ts'

interface Kept {
  readonly database: Database
  /** Of everything but rows. */
  readonly shape: string
  /** What puts all rows back as they were. */
  readonly reset: string
}

/** 9 MiB to begin with. Dead rows are not removed: scans would take ever longer. */
const MIB_MAX = 24

const spare: Kept[] = []

/** Migrated, empty and nobody else's until it is closed. */
export async function lendPglite(): Promise<Database> {
  const kept = spare.pop() ?? (await open())
  return lend(kept.database, async () => {
    const { database, shape, reset } = kept
    if ((await shapeOf(database)) !== shape) return database[Symbol.asyncDispose]()
    await database.query(script(reset))
    spare.push(kept)
  })
}

async function open(): Promise<Kept> {
  const database = await openPglite()
  await migrateJobs(database)
  return { database, shape: await shapeOf(database), reset: await resetOf(database) }
}

function lend(database: Database, giveBack: () => Promise<void>): Database {
  const running = new Set<Promise<unknown>>()
  let closed: Promise<void> | undefined
  const track = <T>(work: () => Promise<T>): Promise<T> => {
    if (closed !== undefined) return Promise.reject(new Error('the database has been closed'))
    const result = work()
    running.add(result)
    const done = () => running.delete(result)
    result.then(done, done)
    return result
  }
  return {
    ...database,
    query: (statement, values) => track(() => database.query(statement, values)),
    transaction: (work) => track(() => database.transaction(work)),
    session: (work) => track(() => database.session(work)),
    [Symbol.asyncDispose]: () => (closed ??= Promise.allSettled(running).then(giveBack)),
  }
}

const script = (text: string): Statement => ({ name: '', text })

/** What is ours has numbers from here on. */
const OWN = 16_384

const SHAPE = [
  ...['class', 'proc', 'trigger', 'constraint'].map((of) => [of, 'oid'] as const),
  ['attribute', 'attrelid'] as const,
].map(([of, id]) => `SELECT '${of}' AS of, ctid, xmin::text FROM pg_${of} WHERE ${id} >= ${OWN}`)

async function shapeOf(database: Database): Promise<string> {
  const { rows } = await database.query<{ shape: string; mib: number }>(
    script(`
      SELECT concat_ws(' ',
          (SELECT md5(string_agg(concat_ws(' ', of, ctid, xmin), ',' ORDER BY of, ctid)) FROM (${SHAPE.join(' UNION ALL ')})),
          (SELECT count(*) FROM pg_statistic), (SELECT count(*) FROM pg_authid), (SELECT count(*) FROM pg_namespace)) AS shape,
        pg_database_size(current_database()) / 1048576 AS mib`),
  )
  const [{ shape, mib } = { shape: '', mib: 0 }] = rows
  return mib > MIB_MAX ? 'too large' : shape
}

async function resetOf(database: Database): Promise<string> {
  const { rows: tables } = await database.query<{ name: string }>(
    script(
      "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'offstage'",
    ),
  )
  const filled: string[] = []
  for (const { name } of tables) {
    const insert = `format('INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, %L);', json_agg(t))`
    const { rows } = await database.query<{ insert: string }>(
      script(`SELECT ${insert} AS insert FROM ${name} t HAVING count(*) > 0`),
    )
    filled.push(...rows.map((row) => row.insert))
  }
  return [
    // Nothing that is to be done when rows come or go.
    'SET session_replication_role = replica;',
    ...tables.map(({ name }) => `DELETE FROM ${name};`),
    ...filled,
    'RESET ALL;',
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences;",
    'SELECT pg_advisory_unlock_all();',
  ].join('\n')
}
