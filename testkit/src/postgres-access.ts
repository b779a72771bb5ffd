/** Who gets into a test's PostgreSQL and how: its certificates and its pg_hba.conf. */
import { chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunAs } from './child.ts'

/** PEM texts. */
export interface PostgresTls {
  readonly cert: string
  readonly key: string
  /** Who signs the certificates of clients. */
  readonly clientCa?: string
}

export interface PostgresAccess {
  /** Default: plain text only. */
  readonly tls?: PostgresTls
  /** The lines of pg_hba.conf. Default: everybody is trusted. */
  readonly hba?: string
}

/** Writes the files of the data folder, and resolves to the settings that name them. */
export async function writeAccess(
  { tls, hba }: PostgresAccess,
  dataDir: string,
  runAs: RunAs | undefined,
): Promise<Record<string, string>> {
  const write = async (name: string, text: string) => {
    const path = join(dataDir, name)
    await writeFile(path, text, { mode: 0o600 })
    if (runAs !== undefined) await chown(path, runAs.uid, runAs.gid)
    return path
  }
  if (hba !== undefined) await write('pg_hba.conf', `${hba}\n`)
  if (tls === undefined) return {}
  return {
    ssl: 'on',
    ssl_cert_file: await write('server.crt', tls.cert),
    ssl_key_file: await write('server.key', tls.key),
    ...(tls.clientCa && { ssl_ca_file: await write('client-ca.crt', tls.clientCa) }),
  }
}
