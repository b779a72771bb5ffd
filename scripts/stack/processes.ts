/**
 * The processes of `make up`: PostgreSQL and NATS (one process that runs both servers) and the three services. Each is
 * detached, writes to `<folder>/<name>.log` and is known by `<folder>/<name>.pid`.
 */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
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

/** Scheduler, storage, executor, PostgreSQL and NATS take `portBase` and the four ports after it. */
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
  return {
    scheduler: addressOf(scheduler),
    storage: addressOf(storage),
    processes: [
      {
        name: 'servers',
        main: join(root, 'scripts', 'stack', 'servers.ts'),
        env: {
          OFFSTAGE_UP_POSTGRES_DIR: await postgresFolder(),
          OFFSTAGE_UP_POSTGRES_PORT: String(postgres),
          OFFSTAGE_UP_NATS_PORT: String(nats),
        },
        // It starts NATS after PostgreSQL is ready.
        ready: { kind: 'tcp', port: nats ?? 0 },
      },
      service('scheduler', scheduler, {
        OFFSTAGE_SCHEDULER_DATABASE_URL: databaseUrl,
        OFFSTAGE_NATS_URL: natsUrl,
      }),
      service('storage', storage, {
        OFFSTAGE_STORAGE_DATABASE_URL: databaseUrl,
        OFFSTAGE_STORAGE_DATA_DIR: join(stackFolder, 'values'),
        OFFSTAGE_NATS_URL: natsUrl,
      }),
      service('executor', executor, {
        OFFSTAGE_JOBS: jobs,
        OFFSTAGE_SCHEDULER: addressOf(scheduler),
        OFFSTAGE_STORAGE: addressOf(storage),
      }),
    ],
  }
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
