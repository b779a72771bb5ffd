import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

/** One step of a schema. Never changed once it has been released: its checksum is kept. */
export interface Migration {
  /** 1, 2, 3, … without gaps. */
  readonly version: number
  readonly name: string
  /**
   * One or more statements; must not begin or end transactions. What they lock is locked until they end: an index on a table that is
   * large by now belongs into a migration of its own that says `-- concurrently` (concurrent-indexes.ts).
   */
  readonly sql: string
}

/** A migration that must not go on; the message says what is wrong and with which version. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

/**
 * Reads the files `0001-name.sql`, `0002-other.sql`, … of a folder, in order. Files that do not end
 * in .sql are left alone. Throws a MigrationError for another name, a version given twice or a gap.
 */
export async function loadMigrations(folder: URL): Promise<Migration[]> {
  const base = folder.href.endsWith('/') ? folder : new URL(`${folder.href}/`)
  const files = (await readdir(base)).filter((file) => file.endsWith('.sql')).sort()
  const migrations = await Promise.all(
    files.map(async (file) => {
      const [, version, name] = /^(\d{4})-([a-z0-9-]+)\.sql$/.exec(file) ?? []
      if (version === undefined || name === undefined) {
        throw new MigrationError(`${file} is not named like 0001-name.sql`)
      }
      return { version: Number(version), name, sql: await readFile(new URL(file, base), 'utf8') }
    }),
  )
  refuseGaps(migrations)
  return migrations
}

/** Throws a MigrationError unless the versions are 1, 2, 3, … */
export function refuseGaps(migrations: readonly Migration[]): void {
  for (const [index, { version, name }] of migrations.entries()) {
    if (version !== index + 1) {
      throw new MigrationError(`migration ${version} (${name}) stands where ${index + 1} should`)
    }
  }
}

/**
 * Whether releases before it cannot work with what it leaves: it says so in a line `-- breaks: <what they would miss>`. All others
 * leave them what they read and write, so that a release can be taken back without its migrations.
 */
export function breaksOlder(migration: Migration): boolean {
  return /^-- breaks: \S/m.test(migration.sql)
}

/** SHA-256 in hex; the same whatever line ends the checkout has. */
export function checksumOf(migration: Migration): string {
  return createHash('sha256').update(migration.sql.replaceAll('\r\n', '\n')).digest('hex')
}
