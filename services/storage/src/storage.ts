/**
 * Temp storage, put together from its rooms: it brings its schema up to date, takes its data directory, sweeps, and serves
 * gRPC.
 */
import type { Authenticate } from '@offstage/kit/auth'
import type { Bus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { Turns } from '@offstage/kit/fairness'
import { createGrpcServer, type GrpcServer, type ServerTls } from '@offstage/kit/grpc'
import { composeServices, createService, createUpkeep, type Service } from '@offstage/kit/lifecycle'
import { createTroubleLog, type Logger, logOutages, type Measures } from '@offstage/kit/telemetry'
import { StorageServiceService } from '@offstage/proto/storage'
import { withStrictTexts } from '@offstage/proto/strict-texts'
import { createBlobWriters } from './blobs/blob-writers.ts'
import { openDiskBlobs } from './blobs/disk-blobs.ts'
import type { EmbeddedStorageConfig } from './config.ts'
import { createHints } from './events.ts'
import { createHandlers } from './grpc/handlers.ts'
import { openBoundBlobs } from './open-blobs.ts'
import type { BlobStore } from './ports/blobs.ts'
import type { JobValues } from './ports/job-values.ts'
import type { ValueStore } from './ports/values.ts'
import { overloaded } from './refusals.ts'
import { createStores, type StorageStores } from './store/stores.ts'
import { migrateStorage } from './store/value-store.ts'
import { createSweeps } from './upkeep/sweeps.ts'

export interface StorageOptions {
  readonly config: EmbeddedStorageConfig
  /** Migrated at the start; not closed at the stop. */
  readonly database: Database
  /** Stays the caller's. */
  readonly bus: Bus
  readonly log: Logger
  /** Says who calls. Default: everybody is a developer with all rights, on loopback addresses only. */
  readonly authenticate?: Authenticate
  /** Default: plain text. */
  readonly tls?: ServerTls
  /** Calls that use the database at once, of all callers in turn; fewer than it has connections. Default 4. */
  readonly callsAtOnce?: number
  /** Whom to ask which values jobs need. Absent: nobody, and those that are the own of jobs stay. */
  readonly jobs?: JobValues
  /** Where large values go. Default: files in `config.dataDir`. */
  readonly openBlobs?: () => Promise<BlobStore>
}

export interface Storage extends Service {
  /** `host:port` it listens on, once started. */
  readonly address: string
  /** Why it takes no calls now, such as `not started` and `overloaded`; undefined while it does. */
  readonly unready: string | undefined
  /** Nothing before the start. */
  readonly measures: readonly Measures[]
}

/** A start fails with a ConfigError when the directory cannot be written or is another database's, and an UnavailableError where it is full and new. */
export function createStorage(options: StorageOptions): Storage {
  const { config, database, log } = options
  const { openBlobs = () => openDiskBlobs(config.dataDir) } = options
  const stores = createStores(database, config)
  let serving: (Service & { readonly server: GrpcServer }) | undefined
  const service = createService({
    name: 'storage',
    async start(signal) {
      await migrateStorage(database, { warn: (text) => log.warn(text), signal })
      const blobs = await openBoundBlobs(openBlobs, stores.sweeps, config.dataDir)
      signal.throwIfAborted()
      serving = compose(options, stores, blobs)
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
    get unready() {
      return serving === undefined ? 'not started' : serving.server.unready
    },
    get measures() {
      return serving === undefined ? [] : [serving.server.measures]
    },
  }
}

/** Of all callers; of one of many an equal share. */
const CALLS_WAITING_MAX = 10_000

/** The server is the last to start and the first to stop. */
function compose(
  { config, database, bus, log, authenticate, tls, jobs, callsAtOnce = 4 }: StorageOptions,
  stores: StorageStores,
  blobs: BlobStore,
) {
  const { host, port, orphanGraceMs: leaseMs } = config
  logOutages(log, { database, bus })
  const hints = createHints(bus)
  const onLease = createTroubleLog(log, 'a lease on blobs was not renewed; it is tried again')
  const onSweep = createTroubleLog(log, 'a sweep failed; it will run again')
  const writers = createBlobWriters({ store: stores.writers, blobs, leaseMs, onError: onLease })
  const parts = { ...config, ...stores, store: stores.sweeps, blobs, writers, hints, jobs, log }
  const { sweeps, garbageMade } = createSweeps(parts)
  const turns = new Turns({
    atOnce: callsAtOnce,
    // One is always free for another caller.
    perCaller: Math.max(1, callsAtOnce - 1),
    waitingMax: CALLS_WAITING_MAX,
    refuse: overloaded,
  })
  const values: ValueStore = {
    ...stores.values,
    put: (command) => turns.take(command.owner, undefined, () => stores.values.put(command)),
  }
  const handlers = createHandlers({ ...parts, values, quotas: config, garbageMade }, log, turns)
  const definition = withStrictTexts(StorageServiceService)
  const services = [{ definition, implementation: handlers }]
  const server = createGrpcServer({
    limits: config,
    name: 'storage',
    host,
    port,
    services,
    log,
    authenticate,
    tls,
  })
  const upkeep = createUpkeep(sweeps, onSweep)
  return { ...composeServices('storage', [writers, upkeep, server]), server }
}
