import { ConfigError, faultText, UnavailableError } from '../config/mod.ts'
import type { Database } from './database.ts'
import { isConnectionError, isRefusedConnection } from './errors.ts'
import { MigrationError } from './migrations.ts'
import { openPostgres, type PostgresOptions } from './postgres.ts'

/** For the start of a service whose database is in a variable: throws a MigrationError as a fault of that variable. */
export function namingDatabase(variable: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof MigrationError)) throw error
    throw new ConfigError([{ variable, problem: error.message }])
  }
}

/**
 * As openPostgres, for a url from the environment: rejects with a fault that names its variable. It is an
 * UnavailableError where the server may be back later, else a ConfigError (a login refused, a certificate that is not that of
 * the server's authority or host, a server too old).
 */
export async function openConfiguredPostgres(
  variable: string,
  options: PostgresOptions,
): Promise<Database> {
  try {
    return await openPostgres(options)
  } catch (cause) {
    const problem = faultText(cause)
    const away = isConnectionError(cause) && !isRefusedConnection(cause)
    if (away) throw new UnavailableError(variable, problem, { cause })
    throw new ConfigError([{ variable, problem }])
  }
}
