/**
 * A real PostgreSQL for tests and `make up`: durable defaults, 127.0.0.1 only, trust. A temporary one does not wait for
 * the disk: what it has committed outlives every process of its own, but not the machine, as nothing of it is to do.
 *
 * `postgres` is started directly, not through pg_ctl, so its process is ours to signal. initdb runs
 * once per user and version: its result is kept as a template in the temp folder and copied.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { type Child, type Exit, type RunAs, startChild, stopChild } from './child.ts'
import { freePort } from './free-port.ts'
import { type PostgresAccess, writeAccess } from './postgres-access.ts'
import { findPostgres, type PostgresPrograms, templates } from './postgres-programs.ts'

const execFileAsync = promisify(execFile)

export interface TestPostgresOptions extends PostgresAccess {
  /** Server settings, as for `postgres -c name=value`. The defaults are PostgreSQL's own, but `fsync` in a temporary folder. */
  readonly settings?: Readonly<Record<string, string>>
  /** Default: a free one. */
  readonly port?: number
  /** A folder that outlives the server, made by initdb when new. Default: a temporary one, removed at the end. */
  readonly dataDir?: string
}

/** How a server is told to end: wait for no client, or act as after a crash. */
export type PostgresStopMode = 'fast' | 'immediate'

export interface TestPostgres extends AsyncDisposable {
  /** Of the database `postgres`, user `postgres`, no password. */
  readonly url: string
  readonly port: number
  readonly dataDir: string
  /** Like `15.12`. */
  readonly version: string
  /** Everything the server logged since its last start. */
  readonly log: string
  /** Resolves when the server of the last start has ended, for whatever reason. */
  readonly exited: Promise<Exit>
  /** Makes a fresh database and resolves to its url: an empty one, or a copy of that of a url, which nobody may be connected to. */
  createDatabase(copyOf?: string): Promise<string>
  /** Removes a database, whoever is connected to it. */
  dropDatabase(url: string): Promise<void>
  /** Stops the server if it runs and starts it on the same port and data. Default `fast`. */
  restart(mode?: PostgresStopMode): Promise<void>
  /** Stops the server; `start` brings it back. Default `fast`. */
  stop(mode?: PostgresStopMode): Promise<void>
  /** Starts a stopped or killed server on the same port and data. */
  start(): Promise<void>
  /** Stops every process of the server where it is, as a host that stalls does; `resume` lets them go on. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** SIGKILL, as the out-of-memory killer does it; `start` brings the server back through recovery. */
  kill(): Promise<void>
}

const STOP_SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const
const STOP_TIMEOUT_MS = 30_000
const START_ATTEMPTS_MAX = 20

/** Starts a PostgreSQL server of its own. Rejects with what to install when there is none. */
export async function startPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const programs = await findPostgres()
  const folder = await prepareFolder(programs, options.dataDir)
  let port = options.port ?? (await freePort())
  const access = await writeAccess(options, folder.dataDir, programs.runAs)
  const settings = { ...(folder.temporary && { fsync: 'off' }), ...access, ...options.settings }
  const run = () => runServer(programs, folder, port, settings)
  let server: Child
  try {
    server = await run().catch(async (error) => {
      if (options.port !== undefined || !/could not bind/.test(String(error))) throw error
      port = await freePort()
      return run()
    })
  } catch (error) {
    await folder.remove()
    throw error
  }

  const urlOf = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`
  const stop = async (mode: PostgresStopMode = 'fast') => {
    await stopChild(server, 'PostgreSQL', STOP_SIGNALS[mode], STOP_TIMEOUT_MS)
  }
  const start = async () => {
    if (!server.running) server = await run()
  }
  const administer = async (statement: string) => {
    const admin = new Client({ connectionString: urlOf('postgres') })
    await admin.connect()
    try {
      await admin.query(statement)
    } finally {
      await admin.end()
    }
  }
  return {
    url: urlOf('postgres'),
    port,
    dataDir: folder.dataDir,
    version: programs.version,
    get log() {
      return server.stderr
    },
    get exited() {
      return server.exited
    },
    createDatabase: async (copyOf) => {
      const name = `test_${randomBytes(6).toString('hex')}`
      const template = copyOf === undefined ? '' : ` template ${nameOf(copyOf)}`
      await administer(`create database ${name}${template}`)
      return urlOf(name)
    },
    dropDatabase: (url) => administer(`drop database ${nameOf(url)} with (force)`),
    restart: async (mode) => {
      await stop(mode)
      await start()
    },
    stop,
    start,
    pause: () => signalAll(server.pid, 'SIGSTOP'),
    resume: () => signalAll(server.pid, 'SIGCONT'),
    kill: async () => {
      server.signal('SIGKILL')
      await server.exited
    },
    [Symbol.asyncDispose]: async () => {
      try {
        // Nothing of a temporary server is read again, so it need not write a last checkpoint.
        await stop(options.dataDir === undefined ? 'immediate' : 'fast')
      } finally {
        await folder.remove()
      }
    },
  }
}

const nameOf = (url: string) => new URL(url).pathname.slice(1)

/** The postmaster first: while it is stopped it makes no more backends. */
async function signalAll(postmaster: number, signal: NodeJS.Signals): Promise<void> {
  process.kill(postmaster, signal)
  const { stdout } = await execFileAsync('ps', ['-A', '-o', 'pid=,ppid='])
  for (const line of stdout.split('\n')) {
    const [pid = 0, parent] = line.trim().split(/\s+/).map(Number)
    if (parent !== postmaster) continue
    try {
      process.kill(pid, signal)
    } catch (error) {
      // It has ended meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

async function runServer(
  { bin, runAs }: PostgresPrograms,
  folder: Folder,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<Child> {
  const all = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: String(port),
    ...settings,
  }
  const spec = {
    name: 'PostgreSQL',
    command: join(bin, 'postgres'),
    args: ['-D', folder.dataDir, ...Object.entries(all).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
    env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C', PGDATA: undefined, PGPORT: undefined },
    cwd: '/',
    runAs,
    ready: /database system is ready to accept connections/,
    readyTimeoutMs: 60_000,
    orphanSignal: 'QUIT',
    orphanFolder: folder.temporary ? folder.dataDir : undefined,
  } as const
  // After a SIGKILL the old backends take a moment to notice and let go of the shared memory.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startChild(spec)
    } catch (error) {
      const held = /shared memory block|lock file "postmaster.pid"/.test(String(error))
      if (!held || attempt === START_ATTEMPTS_MAX) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

interface Folder {
  readonly dataDir: string
  readonly temporary: boolean
  remove(): Promise<void>
}

async function prepareFolder(programs: PostgresPrograms, dataDir?: string): Promise<Folder> {
  if (dataDir === undefined) {
    const temporary = await mkdtemp(join(tmpdir(), 'offstage-postgres-data-'))
    const remove = () => rm(temporary, { recursive: true, force: true, maxRetries: 5 })
    await own(temporary, programs.runAs)
      .then(() => copyTemplate(programs, temporary))
      .catch(async (error) => {
        await remove()
        throw error
      })
    return { dataDir: temporary, temporary: true, remove }
  }
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const made = await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch(() => undefined)
  const major = Number.parseInt(programs.version, 10)
  if (made !== undefined && Number.parseInt(made, 10) !== major) {
    throw new Error(
      `${dataDir} was made by PostgreSQL ${made.trim()}, but the server found is ${programs.version}: remove the folder or set OFFSTAGE_POSTGRES_BIN`,
    )
  }
  if (made === undefined) {
    await own(dataDir, programs.runAs)
    await initdb(programs, dataDir, [])
  }
  return { dataDir, temporary: false, remove: async () => {} }
}

async function copyTemplate(programs: PostgresPrograms, dataDir: string): Promise<void> {
  const source = await findTemplate(programs)
  await execFileAsync('cp', ['-R', `${source}/.`, dataDir], { cwd: '/', ...programs.runAs })
}

/** Several callers may get here at once: each builds its own, one of them becomes the template. */
async function findTemplate(programs: PostgresPrograms): Promise<string> {
  const uid = programs.runAs?.uid ?? process.getuid?.() ?? 0
  const path = join(templates(), `offstage-postgres-template-${programs.version}-${uid}`)
  // Anybody may write to the temp folder: a template of somebody else is not trusted.
  const there = () =>
    stat(join(path, 'PG_VERSION')).then(
      (file) => file.uid === uid,
      () => false,
    )
  if (await there()) return path
  const fresh = await mkdtemp(`${path}-`)
  try {
    await own(fresh, programs.runAs)
    await initdb(programs, fresh, ['--no-sync'])
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    if (!(await there())) throw error
  }
  return path
}

async function initdb(programs: PostgresPrograms, dataDir: string, more: readonly string[]) {
  const args = ['-D', dataDir, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C']
  await execFileAsync(join(programs.bin, 'initdb'), [...args, ...more], {
    cwd: '/',
    ...programs.runAs,
  })
}

async function own(folder: string, runAs: RunAs | undefined): Promise<void> {
  if (runAs !== undefined) await chown(folder, runAs.uid, runAs.gid)
}
