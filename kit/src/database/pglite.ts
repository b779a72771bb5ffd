import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { type DataDirectory, holdDataDirectory } from './data-directory.ts'
import type { Database } from './database.ts'
import { PgliteSocket } from './pglite-socket.ts'
import { createPoolDatabase } from './pool-database.ts'
import { resultTypes } from './results.ts'

export interface PgliteOptions {
  /** Kept there, and held for this process alone. Absent: in memory, gone when closed. */
  dataDir?: string
}

/**
 * PostgreSQL in this process, for development: it does not wait for the disk. One connection, so
 * statements and transactions run one after the other. A data directory that cannot be written, or
 * is in use by another process, is refused with an error that names it.
 */
export async function openPglite(options: PgliteOptions = {}): Promise<Database> {
  const directory = options.dataDir === undefined ? undefined : holdDataDirectory(options.dataDir)
  const pglite = await start(directory)
  const pool = new pg.Pool({
    max: 1,
    idleTimeoutMillis: 0,
    user: 'postgres',
    password: '',
    database: 'postgres',
    ssl: false,
    stream: () => new PgliteSocket(pglite),
    types: resultTypes,
  })
  const close = async () => {
    await pglite.close()
    directory?.[Symbol.dispose]()
  }
  return createPoolDatabase({ kind: 'pglite', pool, close })
}

async function start(directory: DataDirectory | undefined): Promise<PGlite> {
  try {
    return await PGlite.create(directory?.clusterPath)
  } catch (cause) {
    directory?.[Symbol.dispose]()
    if (directory === undefined) throw cause
    throw new Error(`PGlite cannot start in ${directory.clusterPath}`, { cause })
  }
}
