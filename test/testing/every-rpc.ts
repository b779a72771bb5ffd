/** The three services in one process, with every RPC of theirs: callable by anybody in any role, by token or as they are believed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createExecutor, readExecutorConfig } from '@offstage/executor'
import type { Authenticate, Role } from '@offstage/kit/auth'
import { openIdentity } from '@offstage/kit/auth/tokens'
import { createInProcessBus } from '@offstage/kit/bus'
import { openPostgres } from '@offstage/kit/database'
import { createLogger } from '@offstage/kit/telemetry'
import { ExecutorControlServiceService, ExecutorServiceService } from '@offstage/proto/executor'
import {
  JobServiceService,
  NamespaceServiceService,
  ScheduleServiceService,
} from '@offstage/proto/jobs'
import { ExternalScalerService } from '@offstage/proto/scaling'
import { StorageServiceService } from '@offstage/proto/storage'
import { createScheduler, readSchedulerConfig } from '@offstage/scheduler'
import { createStorage, readEmbeddedStorageConfig } from '@offstage/storage'
import { createSharedDatabase, startTestIssuer } from '@offstage/testkit'
import { type AnyAnswer, type AnyRpc, callAnyRpc, connectTo } from '../cluster/any-rpc.ts'
import { migrated } from '../cluster/migrated.ts'

const jobs = fileURLToPath(new URL('../cluster/jobs.ts', import.meta.url))

export interface Who {
  /** Default: ann. */
  readonly user?: string
  readonly role: Role
  /** Default: all. */
  readonly namespace?: string
}

/** How a caller says who they are. */
export type How = 'believed' | 'token'

export interface EveryRpc extends AsyncDisposable {
  /** `Service.Method` of each. */
  readonly names: readonly string[]
  /** What an RPC answers: `OK`, or the reason of the refusal, with its messages. */
  call(name: string, who: Who, request?: object | readonly object[], how?: How): Promise<AnyAnswer>
}

/** Believes the metadata: user, role, namespace. */
const believe: Authenticate = (metadata) => {
  const text = (key: string) => String(metadata.get(key)[0] ?? '')
  const namespace = text('test-namespace')
  return {
    user: text('test-user'),
    roles: [text('test-role') as Role],
    namespaces: namespace === '' ? 'all' : [namespace],
  }
}

export async function startEveryRpc(): Promise<EveryRpc> {
  const it = new AsyncDisposableStack()
  const issuer = it.use(await startTestIssuer())
  const { url } = it.use(await createSharedDatabase(migrated))
  const database = it.use(await openPostgres({ url, poolSize: 8 }))
  const bus = it.use(createInProcessBus())
  const log = createLogger({ name: 'test', level: 'silent' })
  const identity = it.use(openIdentity({ identity: await issuer.identityFile() }, { log }))
  const authenticate: Authenticate = (metadata, peer) => {
    const bearer = metadata.get('authorization').length > 0
    return bearer && identity.authenticate
      ? identity.authenticate(metadata, peer)
      : believe(metadata, peer)
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'offstage-rights-'))
  it.defer(() => rm(dataDir, { recursive: true }))
  const shared = { database, bus, log, authenticate }
  const env = { OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/unused' }
  const scheduler = it.use(
    createScheduler({ ...shared, config: { ...readSchedulerConfig(env), port: 0 } }),
  )
  await scheduler.start()
  const storageEnv = { OFFSTAGE_STORAGE_DATA_DIR: dataDir, OFFSTAGE_STORAGE_PORT: '0' }
  const storage = it.use(
    createStorage({ ...shared, config: readEmbeddedStorageConfig(storageEnv) }),
  )
  await storage.start()
  const executorEnv = {
    OFFSTAGE_JOBS: jobs,
    OFFSTAGE_SCHEDULER: scheduler.address,
    OFFSTAGE_STORAGE: storage.address,
    OFFSTAGE_EXECUTOR_PORT: '0',
  }
  const executor = it.use(
    createExecutor({ config: readExecutorConfig(executorEnv), log, authenticate }),
  )
  await executor.start()
  const rpcs = new Map<string, AnyRpc>()
  const servers = [
    [scheduler.address, JobServiceService],
    [scheduler.address, ScheduleServiceService],
    [scheduler.address, NamespaceServiceService],
    [scheduler.address, ExecutorServiceService],
    [scheduler.address, ExternalScalerService],
    [executor.address, ExecutorControlServiceService],
    [storage.address, StorageServiceService],
  ] as const
  for (const [address, definition] of servers) {
    const client = connectTo({ address })
    it.defer(() => client.close())
    for (const rpc of Object.values(definition)) {
      const [, service = '', method = ''] = /\.(\w+)\/(\w+)$/.exec(rpc.path) ?? []
      rpcs.set(`${service}.${method}`, { address, definition: rpc, client })
    }
  }
  const tokens = new Map<string, Promise<string>>()
  const tokenOf = ({ user = 'ann', role, namespace }: Who) => {
    const key = JSON.stringify([user, role, namespace])
    const namespaces = namespace === undefined ? ('all' as const) : [namespace]
    const token = tokens.get(key) ?? issuer.sign({ user, roles: [role], namespaces })
    tokens.set(key, token)
    return token
  }
  return {
    names: [...rpcs.keys()],
    async call(name, who, request = {}, how = 'believed') {
      const rpc = rpcs.get(name)
      if (rpc === undefined) throw new Error(`there is no ${name}`)
      const { user = 'ann', role, namespace = '' } = who
      const believed = { 'test-user': user, 'test-role': role, 'test-namespace': namespace }
      const headers = how === 'token' ? { authorization: `Bearer ${await tokenOf(who)}` } : believed
      return callAnyRpc(rpc, request, headers)
    },
    [Symbol.asyncDispose]: () => it.disposeAsync(),
  }
}
