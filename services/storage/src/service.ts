import type { Authenticate } from '@offstage/kit/auth'
import type { Bus } from '@offstage/kit/bus'
import { ConfigError } from '@offstage/kit/config'
import type { Database } from '@offstage/kit/database'
import { createGrpcServer, type GrpcServer } from '@offstage/kit/grpc'
import { composeServices, createLoop, createService, type Service } from '@offstage/kit/lifecycle'
import { createTroubleLog, type Logger, logOutages } from '@offstage/kit/telemetry'
import { StorageServiceService } from '@offstage/proto/storage'
import { createBlobWriters } from './blobs/blob-writers.ts'
import { openDiskBlobs } from './blobs/disk-blobs.ts'
import type { StorageConfig } from './config.ts'
import { createHints } from './events.ts'
import { createHandlers } from './grpc/handlers.ts'
import { type BlobStore, BlobStoreError, type Storage, type SweepStore } from './ports.ts'
import { createClockStore } from './store/clock-store.ts'
import { createScopeStore } from './store/scope-store.ts'
import { createSweepStore } from './store/sweep-store.ts'
import { createUploadStore } from './store/upload-store.ts'
import { createValueStore, migrateStorage } from './store/value-store.ts'
import { createWriterStore } from './store/writer-store.ts'
import { sweepClock } from './sweeps/sweep-clock.ts'
import { sweepEnded, sweepGarbage, sweepOrphans } from './sweeps/sweep-ended.ts'

export interface StorageServiceOptions {
  readonly config: StorageConfig
  /** Stays the caller's: the service does not close it. */
  readonly database: Database
  /** Stays the caller's. */
  readonly bus: Bus
  readonly log: Logger
  /** Says who calls. Default: everybody is a developer, on loopback addresses only. */
  readonly authenticate?: Authenticate
  /** Where large values go. Default: files in `config.dataDir`. */
  readonly openBlobs?: () => Promise<BlobStore>
}

export interface StorageService extends Service {
  /** `host:port` really bound. Known once started. */
  readonly address: string
}

const SWEEP_TIMEOUT_MS = 60_000
const ORPHAN_SWEEP_TIMEOUT_MS = 30 * 60_000

/**
 * Temp storage as one service: brings its schema up to date, takes its data directory, sweeps, serves
 * gRPC. A start fails with a ConfigError when the directory cannot be written or is another database's.
 */
export function createStorageService(options: StorageServiceOptions): StorageService {
  const { config, database, log } = options
  const sweeps = createSweepStore(database)
  let serving: (Service & { readonly server: GrpcServer }) | undefined

  const service = createService({
    name: 'storage',
    async start(signal) {
      await migrateStorage(database)
      const openBlobs = options.openBlobs ?? (() => openDiskBlobs(config.dataDir))
      const blobs = await openBlobs().catch(refuseDataDir)
      await bindBlobs(blobs, sweeps, config.dataDir)
      signal.throwIfAborted()
      serving = compose(options, blobs)
      await serving.start()
    },
    async stop() {
      await serving?.stop()
      log.info('storage has stopped')
    },
  })
  return {
    ...service,
    get address() {
      return serving?.server.address ?? `${config.host}:${config.port}`
    },
  }
}

/** The server is the last to start and the first to stop. */
function compose(options: StorageServiceOptions, blobs: BlobStore) {
  const { config, database, bus, log, authenticate } = options
  const hints = createHints(bus)
  const writers = createBlobWriters({
    store: createWriterStore(database),
    blobs,
    leaseMs: config.orphanGraceMs,
    onError: createTroubleLog(log, 'a lease on blobs was not renewed; it is tried again'),
  })
  const clock = createClockStore(database)
  const parts = { store: createSweepStore(database), blobs, writers, hints }
  const onError = createTroubleLog(log, 'a sweep failed; it will run again')
  logOutages(log, { database, bus })
  const ended = createLoop({
    name: 'sweep of what has ended',
    everyMs: config.sweepEveryMs,
    timeoutMs: SWEEP_TIMEOUT_MS,
    run: async (signal) => {
      await sweepClock(clock, log, signal)
      await sweepEnded(parts, signal)
      garbage.wake()
    },
    onError,
  })
  const garbage = createLoop({
    name: 'sweep of blobs left behind',
    everyMs: config.sweepEveryMs,
    timeoutMs: SWEEP_TIMEOUT_MS,
    run: (signal) => sweepGarbage(parts, signal),
    onError,
  })
  const orphans = createLoop({
    name: 'sweep of orphaned blobs',
    everyMs: config.orphanSweepEveryMs,
    timeoutMs: ORPHAN_SWEEP_TIMEOUT_MS,
    run: (signal) => sweepOrphans(parts, signal),
    onError,
  })
  // What the process before left is looked for at once.
  ended.wake()
  orphans.wake()
  const storage: Storage = {
    values: createValueStore(database, config),
    scopes: createScopeStore(database),
    uploads: createUploadStore(database),
    blobs,
    writers,
    hints,
    quotas: config,
    valueBytesMax: config.valueBytesMax,
    uploadIdleMsMax: config.uploadIdleMsMax,
    garbageMade: garbage.wake,
  }
  const server = createGrpcServer({
    name: 'storage gRPC',
    host: config.host,
    port: config.port,
    services: [{ definition: StorageServiceService, implementation: createHandlers(storage, log) }],
    authenticate,
    log,
  })
  return { ...composeServices('storage', [writers, ended, garbage, orphans, server]), server }
}

/** Each database has one directory, and each directory one database. */
async function bindBlobs(blobs: BlobStore, sweeps: SweepStore, dataDir: string): Promise<void> {
  const outcome = await blobs.bind(await sweeps.identity()).catch(refuseDataDir)
  if (outcome.kind === 'bound') {
    if ((await sweeps.adoptStore(outcome.storeId)) === outcome.storeId) return
  }
  const problem =
    outcome.kind === 'of-another'
      ? `${dataDir} holds the values of another database; a sweep would delete them`
      : `${dataDir} is not the folder with the values of this database: a mount is missing, or the path ` +
        'is another. What to do when they are lost for good: docs/guides/operations.md#upkeep'
  throw new ConfigError([{ variable: 'OFFSTAGE_STORAGE_DATA_DIR', problem }])
}

function refuseDataDir(error: unknown): never {
  if (!(error instanceof BlobStoreError)) throw error
  throw new ConfigError([{ variable: 'OFFSTAGE_STORAGE_DATA_DIR', problem: error.message }])
}
