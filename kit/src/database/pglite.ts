import { setFlagsFromString } from 'node:v8'
import type { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { type DataDirectory, holdDataDirectory } from './data-directory.ts'
import type { Database } from './database.ts'
import { PgliteSocket } from './pglite-socket.ts'
import { createPoolDatabase } from './pool-database.ts'
import { readPreparedCluster, unpackCluster } from './prepared-cluster.ts'
import { resultTypes } from './results.ts'

export interface PgliteOptions {
  /** Kept there, and held for this process alone. Absent: in memory, gone when closed. */
  dataDir?: string
  /** The file a new database begins as; where there is none, initdb makes it. Default: that of this package. */
  preparedCluster?: string
}

/**
 * V8's baseline compiler alone. Its optimizing one takes 600 MB for one function of PostgreSQL, the interpreter of
 * expressions, soon after the start; without it the embedded database is somewhat slower, which is no matter here.
 */
const BASELINE_ONLY = ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']

/**
 * PostgreSQL in this process, for development: it does not wait for the disk. One connection, so
 * statements and transactions run one after the other. A data directory that cannot be written, or
 * is in use by another process, is refused with an error that names it.
 */
export async function openPglite(options: PgliteOptions = {}): Promise<Database> {
  const directory = options.dataDir === undefined ? undefined : holdDataDirectory(options.dataDir)
  const pglite = await start(directory, options.preparedCluster)
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

async function start(
  directory: DataDirectory | undefined,
  preparedCluster: string | undefined,
): Promise<PGlite> {
  for (const flag of BASELINE_ONLY) setFlagsFromString(flag)
  try {
    // Here, not above: services that are given PostgreSQL do without the package.
    const { PGlite } = await import('@electric-sql/pglite')
    if (directory !== undefined) {
      await unpackCluster(directory.clusterPath, preparedCluster)
      return await PGlite.create(directory.clusterPath)
    }
    const tar = await readPreparedCluster(preparedCluster)
    return await PGlite.create(tar && { loadDataDir: new Blob([tar]) })
  } catch (cause) {
    directory?.[Symbol.dispose]()
    if (directory === undefined) throw cause
    throw new Error(`PGlite cannot start in ${directory.clusterPath}`, { cause })
  }
}
