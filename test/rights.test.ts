/** Every RPC of the three services × every role × own, foreign and missing things (rows J6, S4, guarantee 8). */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createExecutor, readExecutorConfig } from '@offstage/executor'
import { type Authenticate, ROLES, type Role } from '@offstage/kit/auth'
import { createInProcessBus } from '@offstage/kit/bus'
import { openPglite } from '@offstage/kit/database'
import { createLogger } from '@offstage/kit/telemetry'
import {
  ExecutorControlServiceService,
  ExecutorServiceService,
  Hello,
} from '@offstage/proto/executor'
import {
  JobServiceService,
  JobSpec,
  NamespaceServiceService,
  ScheduleServiceService,
} from '@offstage/proto/jobs'
import { PutValueHeader, StorageServiceService } from '@offstage/proto/storage'
import { createScheduler, readSchedulerConfig } from '@offstage/scheduler'
import { createStorage, readEmbeddedStorageConfig } from '@offstage/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AnyRpc, callAnyRpc } from './cluster/any-rpc.ts'

const jobs = fileURLToPath(new URL('./cluster/jobs.ts', import.meta.url))

const OWNERS: readonly Role[] = ['admin', 'operator', 'user', 'service']
const LOOKERS: readonly Role[] = [...OWNERS, 'reader']
const WRITERS: readonly Role[] = [...OWNERS, 'executor']
const NAMESPACE: readonly Role[] = ROLES

/** Who gets past the door of each RPC, written down a second time on purpose. */
const DOORS: Readonly<Record<string, readonly Role[]>> = {
  'JobService.StartJob': OWNERS,
  'JobService.StartJobs': OWNERS,
  'JobService.GetJob': LOOKERS,
  'JobService.ListJobs': LOOKERS,
  'JobService.WaitJobs': LOOKERS,
  'JobService.WatchJobs': LOOKERS,
  'JobService.FollowJobs': LOOKERS,
  'JobService.CountJobs': LOOKERS,
  'JobService.CancelJob': OWNERS,
  'JobService.CancelJobs': OWNERS,
  'JobService.RetryJob': OWNERS,
  'JobService.DeleteJob': OWNERS,
  'JobService.ListJobMessages': LOOKERS,
  'JobService.ExplainJob': LOOKERS,
  'ScheduleService.CreateSchedule': OWNERS,
  'ScheduleService.UpdateSchedule': OWNERS,
  'ScheduleService.GetSchedule': LOOKERS,
  'ScheduleService.ListSchedules': LOOKERS,
  'ScheduleService.DeleteSchedule': OWNERS,
  'ScheduleService.PauseSchedule': OWNERS,
  'ScheduleService.ResumeSchedule': OWNERS,
  'ScheduleService.TriggerSchedule': OWNERS,
  'ScheduleService.ListNextRuns': LOOKERS,
  'NamespaceService.GetNamespace': NAMESPACE,
  'NamespaceService.UpdateNamespace': ['admin'],
  'NamespaceService.CreateLease': OWNERS,
  'NamespaceService.RenewLease': OWNERS,
  'NamespaceService.EndLease': OWNERS,
  'NamespaceService.ListExecutors': ['admin', 'operator', 'reader'],
  'NamespaceService.ListActs': ['admin'],
  'NamespaceService.PauseNamespace': ['admin', 'operator'],
  'NamespaceService.ResumeNamespace': ['admin', 'operator'],
  'NamespaceService.EnterExclusiveMode': ['admin'],
  'NamespaceService.LeaveExclusiveMode': ['admin'],
  'NamespaceService.AcquireLock': OWNERS,
  'NamespaceService.ReleaseLock': OWNERS,
  'NamespaceService.ListLocks': NAMESPACE,
  'NamespaceService.ListMethods': NAMESPACE,
  'NamespaceService.PauseMethod': ['admin', 'operator'],
  'NamespaceService.ResumeMethod': ['admin', 'operator'],
  'ExecutorService.Attach': ['admin', 'executor'],
  'ExecutorService.IssueAttemptToken': ['admin', 'executor'],
  'ExecutorService.CheckAttempt': ROLES,
  'ExecutorService.GetAttemptKeys': ROLES,
  'ExecutorControlService.DescribeExecutor': ['admin', 'operator', 'reader'],
  'ExecutorControlService.Drain': ['admin', 'operator'],
  'StorageService.PutValue': WRITERS,
  'StorageService.GetValue': WRITERS,
  'StorageService.ReadAndDeleteValue': WRITERS,
  'StorageService.DescribeValue': WRITERS,
  'StorageService.ReserveAddress': WRITERS,
  'StorageService.DeleteValue': WRITERS,
  'StorageService.ListValues': WRITERS,
  'StorageService.StartUpload': WRITERS,
  'StorageService.GetUpload': WRITERS,
  'StorageService.OpenScope': WRITERS,
  'StorageService.KeepScopeAlive': WRITERS,
  'StorageService.CloseScope': WRITERS,
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

interface Who {
  readonly user?: string
  readonly role: Role
  /** Default: all. */
  readonly namespace?: string
}

const it = new AsyncDisposableStack()
const rpcs = new Map<string, AnyRpc>()

beforeAll(async () => {
  const database = it.use(await openPglite({}))
  const bus = it.use(createInProcessBus())
  const log = createLogger({ name: 'test', level: 'silent' })
  const dataDir = await mkdtemp(join(tmpdir(), 'offstage-rights-'))
  it.defer(() => rm(dataDir, { recursive: true }))
  const shared = { database, bus, log, authenticate: believe }
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
    createExecutor({ config: readExecutorConfig(executorEnv), log, authenticate: believe }),
  )
  await executor.start()
  const servers = [
    [scheduler.address, JobServiceService],
    [scheduler.address, ScheduleServiceService],
    [scheduler.address, NamespaceServiceService],
    [scheduler.address, ExecutorServiceService],
    [executor.address, ExecutorControlServiceService],
    [storage.address, StorageServiceService],
  ] as const
  for (const [address, definition] of servers) {
    for (const rpc of Object.values(definition)) {
      const [, service = '', method = ''] = /\.(\w+)\/(\w+)$/.exec(rpc.path) ?? []
      rpcs.set(`${service}.${method}`, { address, definition: rpc })
    }
  }
})
afterAll(() => it.disposeAsync())

/** What an RPC answers: `OK`, or the reason of the refusal; with the answer's last message. */
function call(name: string, who: Who, request: object = {}) {
  const rpc = rpcs.get(name)
  if (rpc === undefined) throw new Error(`there is no ${name}`)
  const { user = 'ann', role, namespace = '' } = who
  const metadata = { 'test-user': user, 'test-role': role, 'test-namespace': namespace }
  return callAnyRpc(rpc, request, metadata)
}

test('every RPC has a line in the table', () => {
  expect(Object.keys(DOORS).sort()).toEqual([...rpcs.keys()].sort())
})

describe.each(Object.entries(DOORS))('%s', (name, doors) => {
  test.each([...ROLES, 'nobody' as Role])('lets in by role: %s', async (role) => {
    const { outcome, text } = await call(name, { role })
    if (doors.includes(role)) expect(outcome).not.toBe('PERMISSION_DENIED')
    else
      expect([outcome, text]).toEqual([
        'PERMISSION_DENIED',
        expect.stringContaining(' needs one of the roles admin'),
      ])
  })
})

/** Things of ann in the namespace `rights`, and others nobody ever made. */
async function thingsOfAnn() {
  const ann: Who = { user: 'ann', role: 'user' }
  const root: Who = { user: 'root', role: 'admin' }
  const namespace = 'rights'
  const method = 'rights.method'
  const hello = Hello.fromPartial({
    sessionId: randomUUID(),
    namespace,
    name: 'rights',
    methods: [{ name: method }],
    lanes: [{ lane: 1, slots: 1 }],
  })
  await call('ExecutorService.Attach', root, { hello })
  const job = JobSpec.fromPartial({ method })
  const started = await call('JobService.StartJob', ann, { namespace, job })
  // A job that has ended: no watch or wait for it goes on.
  await call('JobService.CancelJob', ann, { namespace, jobId: started.messages[0].job.jobId })
  const opened = await call('StorageService.OpenScope', ann, { namespace })
  const { scope } = opened.messages[0]
  const reserved = await call('StorageService.ReserveAddress', ann, { namespace, scope })
  const header = PutValueHeader.fromPartial({ namespace })
  const upload = await call('StorageService.StartUpload', ann, { header })
  return {
    job_id: String(started.messages[0].job.jobId),
    address: String(reserved.messages[0].value.address),
    scope: String(scope),
    upload_id: String(upload.messages[0].uploadId),
  }
}

type Things = Awaited<ReturnType<typeof thingsOfAnn>>

const namespace = 'rights'

/** The RPCs that name a thing of somebody, and how they do. Those that end the thing come last. */
const TOUCHING: readonly (readonly [string, (things: Things) => object])[] = [
  ['JobService.GetJob', ({ job_id }) => ({ namespace, jobId: job_id })],
  ['JobService.WaitJobs', ({ job_id }) => ({ namespace, jobIds: [job_id] })],
  [
    'JobService.WatchJobs',
    ({ job_id }) => ({ namespace, add: [{ jobId: job_id, afterSequence: 0 }] }),
  ],
  [
    'JobService.FollowJobs',
    ({ job_id }) => ({ namespace, targets: [{ jobId: job_id, afterSequence: 0 }] }),
  ],
  ['JobService.ListJobMessages', ({ job_id }) => ({ namespace, jobId: job_id })],
  ['StorageService.DescribeValue', ({ address }) => ({ address })],
  ['StorageService.GetUpload', ({ upload_id }) => ({ uploadId: upload_id })],
  ['StorageService.KeepScopeAlive', ({ scope }) => ({ scope })],
  ['JobService.CancelJob', ({ job_id }) => ({ namespace, jobId: job_id })],
  ['StorageService.DeleteValue', ({ address }) => ({ address })],
  ['StorageService.CloseScope', ({ scope }) => ({ scope })],
]

/** The same things by names that nobody ever gave: what a stranger must not be able to tell apart. */
function missing(things: Things): Things {
  const other = (id: string) => id.slice(0, -6) + (id.endsWith('aaaaaa') ? 'bbbbbb' : 'aaaaaa')
  return {
    job_id: randomUUID(),
    address: other(things.address),
    scope: other(things.scope),
    upload_id: other(things.upload_id),
  }
}

test.each(TOUCHING)(
  '%s tells strangers of a foreign thing what it tells of a missing one',
  async (name, requestFor) => {
    const things = await thingsOfAnn()
    const none = missing(things)
    // Names and times differ, what is said of them must not.
    const said = async (who: Who, of: Things) => {
      const { outcome, text, messages } = await call(name, who, requestFor(of))
      const all = JSON.stringify([outcome, text, messages], (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      )
      return Object.values(of).reduce((shown, id) => shown.replaceAll(id, '…'), all)
    }
    const strangers: Who[] = [
      { user: 'bob', role: 'user' },
      { user: 'ann', role: 'user', namespace: 'elsewhere' },
      { user: 'root', role: 'admin', namespace: 'elsewhere' },
    ]
    for (const who of strangers) expect(await said(who, things)).toBe(await said(who, none))
    const foreign = await said({ user: 'bob', role: 'user' }, things)
    expect(await said({ user: 'root', role: 'admin' }, things)).not.toBe(foreign)
    const own = await thingsOfAnn()
    expect(await said({ user: 'ann', role: 'user' }, own)).not.toBe(foreign)
  },
)
