/** For tests: the whole service in this process, on a free port, over PostgreSQL. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BusMessage, createInProcessBus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { createLogger } from '@offstage/kit/telemetry'
import { type EmbeddedStorageConfig, readEmbeddedStorageConfig } from '../config.ts'
import { createStorage, type StorageOptions } from '../storage.ts'
import { openFreshDatabase } from './fresh-database.ts'
import { connectStorage } from './storage-client.ts'

export interface Started extends AsyncDisposable {
  readonly address: string
  /** Events published so far. */
  readonly events: BusMessage[]
  /** Calls as this user; closed with the service. */
  client(user?: string): ReturnType<typeof connectStorage>
}

/** A database and a data directory, on which services can be started. */
export interface Ground extends AsyncDisposable {
  readonly database: Database
  readonly dataDir: string
  /** Files under the data directory that hold blobs. */
  blobFiles(): Promise<string[]>
  run(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  start(
    config?: Partial<EmbeddedStorageConfig>,
    options?: Partial<StorageOptions>,
  ): Promise<Started>
}

export async function openGround(
  open: () => Promise<Database> = openFreshDatabase,
): Promise<Ground> {
  const database = await open()
  const dataDir = await mkdtemp(join(tmpdir(), 'offstage-storage-'))
  const run = async (text: string, values: unknown[] = []) =>
    (await database.query<Record<string, unknown>>({ name: '', text }, values)).rows
  return {
    database,
    dataDir,
    run,
    blobFiles: async () =>
      (await readdir(join(dataDir, 'blobs'), { recursive: true })).filter((name) =>
        name.includes('/'),
      ),
    start: (config = {}, options = {}) => start({ database, dataDir }, config, options),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true })
    },
  }
}

/** Loops run when woken; their own rhythm is out of the way unless a test sets it. */
const QUIET = { sweepEveryMs: 3_600_000, orphanSweepEveryMs: 3_600_000 }

async function start(
  { database, dataDir }: { database: Database; dataDir: string },
  config: Partial<EmbeddedStorageConfig>,
  options: Partial<StorageOptions>,
): Promise<Started> {
  const bus = createInProcessBus()
  const events: BusMessage[] = []
  bus.subscribe('offstage.v1.>', (message) => events.push(message))
  const env = { OFFSTAGE_STORAGE_DATA_DIR: dataDir, OFFSTAGE_STORAGE_PORT: '0' }
  const service = createStorage({
    config: { ...readEmbeddedStorageConfig(env), ...QUIET, ...config },
    database,
    bus,
    log: createLogger({ name: 'storage', level: 'silent' }),
    ...options,
  })
  await service.start()
  const clients: Disposable[] = []
  return {
    address: service.address,
    events,
    client(user) {
      const client = connectStorage(service.address, user)
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client[Symbol.dispose]()
      await service.stop()
      await bus[Symbol.asyncDispose]()
    },
  }
}
