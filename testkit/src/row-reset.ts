/**
 * A database whose rows are put back as they were is as good as a new one, and takes less than a tenth of what that does. One whose
 * tables, functions or statistics have changed, or that has grown, is not.
 */

/** Runs SQL without parameters; resolves to the rows of what is one statement. */
export type Ask = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>

export interface Snapshot {
  /** Of everything but rows. */
  readonly shape: string
  readonly mib: number
  /** What puts all rows back. */
  readonly reset: string
}

/** Dead rows are not removed: scans would take ever longer. */
const GROWTH_MIB_MAX = 15

/** What is ours has numbers from here on. */
const OWN = 16_384

const CATALOGS = [
  ...['class', 'proc', 'trigger', 'constraint'].map((of) => [of, 'oid'] as const),
  ['attribute', 'attrelid'] as const,
].map(([of, id]) => `SELECT '${of}' AS of, ctid, xmin::text FROM pg_${of} WHERE ${id} >= ${OWN}`)

const COUNTED = ['statistic', 'authid', 'namespace', 'db_role_setting']

const SHAPE = `
  SELECT concat_ws(' ',
      (SELECT md5(string_agg(concat_ws(' ', of, ctid, xmin), ',' ORDER BY of, ctid)) FROM (${CATALOGS.join(' UNION ALL ')}) AS own),
      ${COUNTED.map((of) => `(SELECT count(*) FROM pg_${of})`).join(', ')}) AS shape,
    pg_database_size(current_database()) / 1048576 AS mib`

const TABLES = `
  SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
  WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`

/** Of a database as it is now. */
export async function snapshotOf(ask: Ask): Promise<Snapshot> {
  const tables = (await ask(TABLES)).map(({ name }) => String(name))
  const filled: string[] = []
  for (const name of tables) {
    const insert = `format('INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, %L);', json_agg(t))`
    const rows = await ask(`SELECT ${insert} AS insert FROM ${name} t HAVING count(*) > 0`)
    filled.push(...rows.map((row) => String(row.insert)))
  }
  const reset = [
    // Nothing that is to be done when rows come or go.
    'SET session_replication_role = replica;',
    ...tables.map((name) => `DELETE FROM ${name};`),
    ...filled,
    'RESET ALL;',
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences;",
    'SELECT pg_advisory_unlock_all();',
  ].join('\n')
  return { ...(await shapeOf(ask)), reset }
}

/** Puts its rows back; false, with nothing done, where that would not make it what it was. */
export async function resetTo({ shape, mib, reset }: Snapshot, ask: Ask): Promise<boolean> {
  const now = await shapeOf(ask)
  if (now.shape !== shape || now.mib > mib + GROWTH_MIB_MAX) return false
  await ask(reset)
  return true
}

async function shapeOf(ask: Ask): Promise<Pick<Snapshot, 'shape' | 'mib'>> {
  const [row] = await ask(SHAPE)
  return { shape: String(row?.shape), mib: Number(row?.mib) }
}
