import { isLoopback } from '@offstage/proto/loopback'
import type { ConfigFault } from '../config/mod.ts'
// Not by way of its mod.ts, which would load the database drivers.
import { parsePostgresUrl, saysSslMode } from '../database/postgres-url.ts'

/** The fault of a database that would be spoken to in plain text across the network without anybody having said so. */
export function checkDatabaseTls(
  { tls, databaseUrl }: { readonly tls: 'off' | undefined; readonly databaseUrl: string },
  variable: string,
): ConfigFault[] {
  const { url, tls: encrypted } = parsePostgresUrl(databaseUrl)
  const { hostname, host } = new URL(url)
  const asked = encrypted !== undefined || saysSslMode(databaseUrl)
  if (asked || tls === 'off' || isLoopback(hostname.replace(/^\[|\]$/g, ''))) return []
  const problem =
    `would speak to ${host} in plain text; add ?sslmode=verify-full (and &sslrootcert=<file> for an authority of your own), ` +
    'or say sslmode=disable'
  return [{ variable, problem }]
}
