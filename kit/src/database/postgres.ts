import pg from 'pg'
import type { Database } from './database.ts'
import { createPoolDatabase } from './pool-database.ts'
import { clientsOf } from './postgres-client.ts'
import { resultTypes } from './results.ts'

export interface PostgresOptions {
  /**
   * postgres://user:password@host:port/database; never shown in errors. `?sslmode=verify-full&sslrootcert=<file>` encrypts, and
   * makes sure of the server; `sslcert` and `sslkey` name the own certificate. Files are read for each connection.
   */
  url: string
  /** Instead of a password in the url; read for each connection. */
  passwordFile?: string
  /** Connections at most; further callers wait. Default 10. */
  poolSize?: number
  /** What pg_stat_activity shows. Default 'offstage'. */
  applicationName?: string
  /** For opening a connection, and for waiting for a free one. Default 10 000. */
  connectTimeoutMs?: number
  /** The server ends a statement after this long (SQLSTATE 57014). Default 30 000. */
  statementTimeoutMs?: number
  /**
   * The server ends a transaction that sends nothing for this long, and with it the connection (SQLSTATE 25P03): a process that
   * freezes keeps what it has locked from nobody for ever. Default 5 000.
   */
  transactionIdleMs?: number
  /** Told about idle connections that broke; they are replaced by themselves. */
  onError?(error: unknown): void
}

const oldestVersion = 15
const keepAliveAfterMs = 10_000
const idleTimeoutMs = 60_000
const transactionIdleMs = 5_000
/** A statement without an answer for this much longer than the server allows: the connection is dead. */
const silenceMs = 5_000

/**
 * A pool of connections to PostgreSQL 15 or later. Checks one connection first: rejects when the
 * server cannot be reached (isConnectionError is true: try again), refuses the login, is not the one it should be
 * (isRefusedConnection), is too old or isolates transactions by default in another way than read committed. Lost connections later on reject the statements under way and are replaced at the next call.
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000
  const pool = new pg.Pool({
    ...clientsOf(options),
    max: options.poolSize ?? 10,
    application_name: options.applicationName ?? 'offstage',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + silenceMs,
    idle_in_transaction_session_timeout: options.transactionIdleMs ?? transactionIdleMs,
    idleTimeoutMillis: idleTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveAfterMs,
    types: resultTypes,
  })
  pool.on('error', (error) => options.onError?.(error))
  // The pool listens to idle connections only. One that breaks while checked out rejects its
  // statement and would, with no listener of its own, end the process as well.
  pool.on('connect', (client) => client.on('error', () => {}))
  const database = createPoolDatabase({ kind: 'postgres', pool })
  try {
    await refuseUnfitServer(database)
  } catch (cause) {
    await database[Symbol.asyncDispose]()
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
    throw new Error(`cannot use PostgreSQL at ${placeOf(options.url)}: ${reason}`, { cause })
  }
  return database
}

/** Statements that wait for a lock have to see what was done meanwhile, and to answer conflicts rather than fail with them. */
const isolation = 'read committed'

async function refuseUnfitServer(database: Database): Promise<void> {
  const { rows } = await database.query<{ version: string; number: string; isolation: string }>({
    name: '',
    text: `
      SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number,
        current_setting('default_transaction_isolation') AS isolation`,
  })
  const [server] = rows
  if (server === undefined) return
  if (Number(server.number) < oldestVersion * 10_000) {
    throw new Error(`version ${server.version} is too old, ${oldestVersion} or later is needed`)
  }
  if (server.isolation !== isolation) {
    throw new Error(
      `default_transaction_isolation is ${server.isolation}, and Offstage needs ${isolation}: ` +
        `ALTER ROLE … IN DATABASE … SET default_transaction_isolation = '${isolation}' for the role it logs in as`,
    )
  }
}

function placeOf(url: string): string {
  const parsed = URL.parse(url)
  return parsed === null ? 'the given url' : `${parsed.host}${parsed.pathname}`
}
