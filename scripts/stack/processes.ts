/**
 * The processes of `make up`: PostgreSQL and NATS, each in the care of a process that ends with it, and the three
 * services. Each is detached, writes to `<folder>/<name>.log`, is known by `<folder>/<name>.pid`, and what it was told
 * when it was started is in `<folder>/<name>.json`.
 */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Where everything of `make up` is kept. */
export const stackFolder = join(root, '.offstage', 'up')

export interface ProcessSpec {
  readonly name: string
  /** The `.ts` file it runs. */
  readonly main: string
  readonly env: Readonly<Record<string, string>>
  /** What tells that it is ready: a port that takes connections, or a gRPC server that says SERVING. */
  readonly ready: { readonly kind: 'tcp' | 'health'; readonly port: number }
}

export interface Stack {
  /** In the order in which they start. */
  readonly processes: readonly ProcessSpec[]
  readonly scheduler: string
  readonly storage: string
}

/**
 * Scheduler, storage, executor, PostgreSQL and NATS take `portBase` and the four ports after it. `jobs` are paths with
 * commas between.
 */
export async function describeStack(portBase: number, jobs: string): Promise<Stack> {
  const [scheduler, storage, executor, postgres, nats] = [0, 1, 2, 3, 4].map((n) => portBase + n)
  const addressOf = (port = 0) => `127.0.0.1:${port}`
  const databaseUrl = `postgres://postgres@${addressOf(postgres)}/postgres`
  const natsUrl = `nats://${addressOf(nats)}`
  const service = (name: string, port = 0, env: Record<string, string>): ProcessSpec => ({
    name,
    main: join(root, 'services', name, 'src', 'main.ts'),
    env: { ...env, [`OFFSTAGE_${name.toUpperCase()}_PORT`]: String(port) },
    ready: { kind: 'health', port },
  })
  const server = (name: string, port = 0, env: Record<string, string> = {}): ProcessSpec => ({
    name,
    main: join(root, 'scripts', 'stack', `${name}.ts`),
    env: { ...env, OFFSTAGE_UP_PORT: String(port) },
    ready: { kind: 'tcp', port },
  })
  return {
    scheduler: addressOf(scheduler),
    storage: addressOf(storage),
    processes: [
      server('postgres', postgres, { OFFSTAGE_UP_POSTGRES_DIR: await postgresFolder() }),
      server('nats', nats),
      service('scheduler', scheduler, {
        OFFSTAGE_SCHEDULER_DATABASE_URL: databaseUrl,
        OFFSTAGE_NATS_URL: natsUrl,
      }),
      service('storage', storage, {
        OFFSTAGE_STORAGE_DATABASE_URL: databaseUrl,
        OFFSTAGE_STORAGE_DATA_DIR: join(stackFolder, 'values'),
        OFFSTAGE_SCHEDULER: addressOf(scheduler),
        OFFSTAGE_NATS_URL: natsUrl,
      }),
      service('executor', executor, {
        OFFSTAGE_JOBS: absolute(jobs),
        OFFSTAGE_SCHEDULER: addressOf(scheduler),
        OFFSTAGE_STORAGE: addressOf(storage),
      }),
    ],
  }
}

/** The same modules, whatever folder `make` was called in. */
function absolute(jobs: string): string {
  return jobs
    .split(',')
    .map((path) => resolve(path.trim()))
    .join(',')
}

/**
 * PostgreSQL does not run as root, and the user it runs as instead may not be able to enter the checkout: then its
 * data is in /var/tmp, under a name that belongs to this checkout.
 */
export async function postgresFolder(): Promise<string> {
  const wanted = join(stackFolder, 'postgres')
  if (process.getuid?.() !== 0 || (await openToAll(dirname(stackFolder)))) return wanted
  const mark = createHash('sha256').update(stackFolder).digest('hex').slice(0, 12)
  return join('/var/tmp', `offstage-up-${mark}`, 'postgres')
}

async function openToAll(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  const open = found === undefined || (found.mode & 0o001) !== 0
  const parent = dirname(path)
  return open && (parent === path || (await openToAll(parent)))
}
