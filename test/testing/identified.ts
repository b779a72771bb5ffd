/** A scheduler, storage and an executor in this process that take the tokens of a test issuer. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createExecutor, readExecutorConfig } from '@offstage/executor'
import { openIdentity } from '@offstage/kit/auth/tokens'
import { createInProcessBus } from '@offstage/kit/bus'
import { openPostgres } from '@offstage/kit/database'
import { createLogger } from '@offstage/kit/telemetry'
import { createScheduler, readSchedulerConfig } from '@offstage/scheduler'
import { createStorage, readEmbeddedStorageConfig } from '@offstage/storage'
import { createSharedDatabase, startTestIssuer, type TestIssuer } from '@offstage/testkit'
import { migrated } from '../cluster/migrated.ts'

const jobs = fileURLToPath(new URL('../cluster/jobs.ts', import.meta.url))

export interface Identified extends AsyncDisposable {
  readonly issuer: TestIssuer
  readonly scheduler: string
  readonly storage: string
  /** Where the executor reads its token. */
  readonly tokenFile: string
  /** Starts an executor with this token, and waits until it has attached. */
  startExecutor(token: string): Promise<void>
}

export interface IdentifiedOptions {
  /** Parts of the issuer's entry in the identity file. */
  readonly entry?: object
}

export async function startIdentified({ entry }: IdentifiedOptions = {}): Promise<Identified> {
  const resources = new AsyncDisposableStack()
  const issuer = resources.use(await startTestIssuer())
  const folder = await mkdtemp(join(tmpdir(), 'offstage-identified-'))
  resources.defer(() => rm(folder, { recursive: true }))
  const tokens = await mkdtemp(join(tmpdir(), 'offstage-tokens-'))
  resources.defer(() => rm(tokens, { recursive: true }))
  const tokenFile = join(tokens, 'executor')
  const { url } = resources.use(await createSharedDatabase(migrated))
  const database = resources.use(await openPostgres({ url, poolSize: 8 }))
  const bus = resources.use(createInProcessBus())
  const log = createLogger({ name: 'test', level: 'silent' })
  const identity = { identity: await issuer.identityFile(entry) }
  const authenticate = () => resources.use(openIdentity(identity, { log })).authenticate
  const shared = { database, bus, log }

  const scheduler = resources.use(
    createScheduler({
      ...shared,
      authenticate: authenticate(),
      config: {
        ...readSchedulerConfig({ OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/unused' }),
        port: 0,
      },
    }),
  )
  await scheduler.start()
  const storageEnv = { OFFSTAGE_STORAGE_DATA_DIR: folder, OFFSTAGE_STORAGE_PORT: '0' }
  const storage = resources.use(
    createStorage({
      ...shared,
      authenticate: authenticate(),
      config: readEmbeddedStorageConfig(storageEnv),
    }),
  )
  await storage.start()
  return {
    issuer,
    scheduler: scheduler.address,
    storage: storage.address,
    tokenFile,
    async startExecutor(token) {
      await writeFile(tokenFile, token)
      const config = readExecutorConfig({
        OFFSTAGE_JOBS: jobs,
        OFFSTAGE_SCHEDULER: scheduler.address,
        OFFSTAGE_STORAGE: storage.address,
        OFFSTAGE_EXECUTOR_PORT: '0',
        OFFSTAGE_TOKEN_FILE: tokenFile,
      })
      const executor = resources.use(createExecutor({ config, log, authenticate: authenticate() }))
      await executor.start()
      await executor.firstAttached
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
