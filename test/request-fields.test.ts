/**
 * Nothing that a caller sets is passed over in silence: every field of every request is looked at by the service, and a number that
 * an enum does not know is refused, naming the field. Both are asked of the descriptors, so a field that is added tomorrow fails
 * here until something is done with it.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { createExecutor, readExecutorConfig } from '@offstage/executor'
import { createInProcessBus } from '@offstage/kit/bus'
import { openPglite } from '@offstage/kit/database'
import { createLogger } from '@offstage/kit/telemetry'
import type { DescMessage } from '@offstage/proto/descriptor-files'
import {
  AttachRequest,
  CheckAttemptRequest,
  DescribeExecutorRequest,
  DrainRequest,
  ExecutorControlServiceService,
  ExecutorServiceService,
  FindNeededValuesRequest,
  GetAttemptKeysRequest,
  IssueAttemptTokenRequest,
  ListDiscardedValuesRequest,
} from '@offstage/proto/executor'
import * as proto from '@offstage/proto/jobs'
import * as storage from '@offstage/proto/storage'
import { createScheduler, readSchedulerConfig } from '@offstage/scheduler'
import { createStorage, readEmbeddedStorageConfig } from '@offstage/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AnyRpc, callAnyRpc } from './cluster/any-rpc.ts'
import { fieldsOf, placesOfEnums, watchRequests } from './cluster/request-reads.ts'

const it = new AsyncDisposableStack()
const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 0 })
const jobId = randomUUID()
const address = `val_${'0'.repeat(32)}`
const scope = `scp_${'0'.repeat(32)}`
const uploadId = `upl_${'0'.repeat(32)}`
const filter = {}

const inline = { source: { $case: 'inline' as const, value: Buffer.from('1') } }
const job = { method: 'fields.job', params: inline, retryPolicy: {}, deadlines: {} }
const elsewhere = { ...job, params: { source: { $case: 'address' as const, value: address } } }
const attempt = { jobId, attempt: 1 }
const ofJob = { $case: 'jobId' as const, value: jobId }
const ofLease = { $case: 'leaseId' as const, value: randomUUID() }
const scheduleId = 'fields-schedule'
const span = { beginTime: new Date('2026-01-01'), endTime: new Date('2026-01-02') }
const terms = { scheduleId, job, jitter: seconds(1), catchUpWindow: seconds(1) }
const schedule = { ...terms, timing: { $case: 'cron' as const, value: '0 0 * * *' } }
const everyHour = { ...terms, timing: { $case: 'interval' as const, value: seconds(3_600) } }

const hello = AttachRequest.fromPartial({
  hello: {
    sessionId: randomUUID(),
    methods: [
      {
        name: 'fields.job',
        retryPolicy: {},
        deadlines: {},
        startableBy: { users: ['*'] },
        limits: [{ maxConcurrency: 9 }],
      },
    ],
    lanes: [{ lane: 1, slots: 2 }],
    running: [attempt],
  },
})
const declared = AttachRequest.fromPartial({
  hello: {
    ...hello.hello,
    sessionId: randomUUID(),
    schedules: [
      { schedule: { ...schedule, scheduleId: 'declared' }, version: 1, paused: true },
      { schedule: { ...everyHour, scheduleId: 'hourly' }, version: 1 },
    ],
  },
})
const reports = AttachRequest.fromPartial({
  credits: [{ lane: 1, slots: 1 }],
  results: [
    { ...attempt, outcome: { $case: 'succeeded', value: inline }, additionalResult: inline },
    { ...attempt, outcome: { $case: 'succeeded', value: elsewhere.params } },
    { ...attempt, outcome: { $case: 'failed', value: {} } },
    { ...attempt, outcome: { $case: 'canceled', value: '' } },
  ],
  progress: [{ ...attempt, progress: {} }],
  messages: [attempt],
  waiting: [attempt],
  handedBack: [attempt],
  draining: true,
  drainedBy: {},
})
const data = AttachRequest.fromPartial({ progress: [{ ...attempt, heartbeatData: inline }] })

const header = (given: object) => storage.PutValueHeader.fromPartial(given)
const put = (value: storage.PutValueRequest['part']) => ({ part: value })

/**
 * For each RPC that does something, calls in which every message that it can carry is present. What is not set in them is looked at
 * too, at its default. An RPC without calls must refuse them all.
 */
const CALLS: Readonly<Record<string, readonly (readonly object[])[]>> = {
  'JobService.StartJob': [
    [proto.StartJobRequest.fromPartial({ job })],
    [proto.StartJobRequest.fromPartial({ job: elsewhere })],
  ],
  'JobService.StartJobs': [[proto.StartJobsRequest.fromPartial({ jobs: [job, elsewhere] })]],
  'JobService.GetJob': [[proto.GetJobRequest.fromPartial({ jobId })]],
  'JobService.ListJobs': [[proto.ListJobsRequest.fromPartial({ filter })]],
  'JobService.CountJobs': [[proto.CountJobsRequest.fromPartial({ filter })]],
  'JobService.WaitJobs': [[proto.WaitJobsRequest.fromPartial({ jobIds: [jobId] })]],
  'JobService.WatchJobs': [[proto.WatchJobsRequest.fromPartial({ add: [{ jobId }] })]],
  'JobService.FollowJobs': [[proto.FollowJobsRequest.fromPartial({ targets: [{ jobId }] })]],
  'JobService.CancelJob': [[proto.CancelJobRequest.fromPartial({ jobId })]],
  'JobService.CancelJobs': [
    [proto.CancelJobsRequest.fromPartial({ filter: { text: 'state:running' } })],
  ],
  'JobService.RetryJobs': [[proto.RetryJobsRequest.fromPartial({ filter: { text: 'key:x' } })]],
  'JobService.DeleteJobs': [[proto.DeleteJobsRequest.fromPartial({ filter: { text: 'key:x' } })]],
  'JobService.RetryJob': [[proto.RetryJobRequest.fromPartial({ jobId })]],
  'JobService.DeleteJob': [[proto.DeleteJobRequest.fromPartial({ jobId })]],
  'JobService.PinJob': [[proto.PinJobRequest.fromPartial({ jobId })]],
  'JobService.UnpinJob': [[proto.UnpinJobRequest.fromPartial({ jobId })]],
  'JobService.ListJobMessages': [[proto.ListJobMessagesRequest.fromPartial({ jobId })]],
  'JobService.ExplainJob': [[proto.ExplainJobRequest.fromPartial({ jobId })]],
  'ScheduleService.CreateSchedule': [
    [proto.CreateScheduleRequest.fromPartial({ schedule })],
    [proto.CreateScheduleRequest.fromPartial({ schedule: everyHour })],
    [proto.CreateScheduleRequest.fromPartial({ schedule: { ...everyHour, job: elsewhere } })],
  ],
  'ScheduleService.UpdateSchedule': [
    [proto.UpdateScheduleRequest.fromPartial({ schedule })],
    [proto.UpdateScheduleRequest.fromPartial({ schedule: everyHour })],
    [proto.UpdateScheduleRequest.fromPartial({ schedule: { ...everyHour, job: elsewhere } })],
  ],
  'ScheduleService.GetSchedule': [[proto.GetScheduleRequest.fromPartial({ scheduleId })]],
  'ScheduleService.ListSchedules': [[proto.ListSchedulesRequest.fromPartial({})]],
  'ScheduleService.DeleteSchedule': [[proto.DeleteScheduleRequest.fromPartial({ scheduleId })]],
  'ScheduleService.PauseSchedule': [[proto.PauseScheduleRequest.fromPartial({ scheduleId })]],
  'ScheduleService.ResumeSchedule': [[proto.ResumeScheduleRequest.fromPartial({ scheduleId })]],
  'ScheduleService.TriggerSchedule': [[proto.TriggerScheduleRequest.fromPartial({ scheduleId })]],
  'ScheduleService.BackfillSchedule': [
    [proto.BackfillScheduleRequest.fromPartial({ scheduleId, ...span })],
  ],
  'ScheduleService.ListNextRuns': [[proto.ListNextRunsRequest.fromPartial({ scheduleId })]],
  'NamespaceService.GetNamespace': [[proto.GetNamespaceRequest.fromPartial({})]],
  'NamespaceService.UpdateNamespace': [
    [
      proto.UpdateNamespaceRequest.fromPartial({
        namespace: {
          retention: [{ kind: 1, maxAge: seconds(1) }],
          limits: [{ method: 'a', rate: 1, ratePeriod: seconds(1) }],
        },
      }),
    ],
  ],
  'NamespaceService.PreviewRetention': [
    [proto.PreviewRetentionRequest.fromPartial({ retention: [{ kind: 1, maxAge: seconds(1) }] })],
  ],
  'NamespaceService.CreateLease': [
    [proto.CreateLeaseRequest.fromPartial({ duration: seconds(60) })],
  ],
  'NamespaceService.RenewLease': [[proto.RenewLeaseRequest.fromPartial({ leaseId: jobId })]],
  'NamespaceService.EndLease': [[proto.EndLeaseRequest.fromPartial({ leaseId: jobId })]],
  'NamespaceService.EnterExclusiveMode': [
    [proto.EnterExclusiveModeRequest.fromPartial({ leaseId: jobId, timeout: seconds(1) })],
  ],
  'NamespaceService.LeaveExclusiveMode': [
    [proto.LeaveExclusiveModeRequest.fromPartial({ leaseId: jobId })],
  ],
  'NamespaceService.PauseNamespace': [[proto.PauseNamespaceRequest.fromPartial({})]],
  'NamespaceService.ResumeNamespace': [[proto.ResumeNamespaceRequest.fromPartial({})]],
  'NamespaceService.PauseMethod': [[proto.PauseMethodRequest.fromPartial({})]],
  'NamespaceService.ResumeMethod': [[proto.ResumeMethodRequest.fromPartial({})]],
  'NamespaceService.PausePool': [[proto.PausePoolRequest.fromPartial({})]],
  'NamespaceService.ResumePool': [[proto.ResumePoolRequest.fromPartial({})]],
  'NamespaceService.AcquireLock': [
    [proto.AcquireLockRequest.fromPartial({ name: 'a', holder: ofJob, timeout: {} })],
    [proto.AcquireLockRequest.fromPartial({ name: 'a', holder: ofLease, timeout: {} })],
  ],
  'NamespaceService.ReleaseLock': [[proto.ReleaseLockRequest.fromPartial({ name: 'a' })]],
  'NamespaceService.ListLocks': [[proto.ListLocksRequest.fromPartial({})]],
  'NamespaceService.RefreshValues': [
    [proto.RefreshValuesRequest.fromPartial({ scopes: [{ function: 'rates', params: '[]' }] })],
  ],
  'NamespaceService.ListRefreshes': [[proto.ListRefreshesRequest.fromPartial({})]],
  'NamespaceService.TrackLeaks': [
    [proto.TrackLeaksRequest.fromPartial({ names: ['a'], duration: seconds(60) })],
  ],
  'NamespaceService.StopTrackingLeaks': [
    [proto.StopTrackingLeaksRequest.fromPartial({ names: ['a'] })],
  ],
  'NamespaceService.ListLeaks': [[proto.ListLeaksRequest.fromPartial({})]],
  'NamespaceService.ReportLeaks': [
    [
      proto.ReportLeaksRequest.fromPartial({
        ...{
          reporter: 'one',
          figures: [{ name: 'a', leaks: [{ kind: proto.LeakKind.LEAK_KIND_TIMER }] }],
        },
      }),
    ],
  ],
  // One that it takes would stay open.
  'NamespaceService.WatchRefreshes': [
    [proto.WatchRefreshesRequest.fromPartial({ afterEpoch: -1n })],
  ],
  'NamespaceService.ListMethods': [[proto.ListMethodsRequest.fromPartial({})]],
  'NamespaceService.ListExecutors': [[proto.ListExecutorsRequest.fromPartial({})]],
  'NamespaceService.ListActs': [[proto.ListActsRequest.fromPartial({})]],
  'ExecutorService.IssueAttemptToken': [
    [IssueAttemptTokenRequest.fromPartial({ sessionId: randomUUID(), jobId, attempt: 1 })],
  ],
  'ExecutorService.FindNeededValues': [[FindNeededValuesRequest.fromPartial({})]],
  'ExecutorService.ListDiscardedValues': [[ListDiscardedValuesRequest.fromPartial({})]],
  'ExecutorService.CheckAttempt': [[CheckAttemptRequest.fromPartial({})]],
  'ExecutorService.GetAttemptKeys': [[GetAttemptKeysRequest.fromPartial({})]],
  'ExecutorService.Attach': [[hello, reports], [declared], [hello, data]],
  'ExecutorControlService.DescribeExecutor': [[DescribeExecutorRequest.fromPartial({})]],
  'ExecutorControlService.Drain': [[DrainRequest.fromPartial({ grace: seconds(1) })]],
  'StorageService.PutValue': [
    [
      put({ $case: 'header', value: header({ trailer: true }) }),
      put({ $case: 'chunk', value: Buffer.from('1') }),
      put({ $case: 'trailer', value: storage.PutValueTrailer.fromPartial({}) }),
    ],
    [put({ $case: 'header', value: header({ uploadId }) })],
  ],
  'StorageService.GetValue': [[storage.GetValueRequest.fromPartial({ address })]],
  'StorageService.ReadAndDeleteValue': [
    [storage.ReadAndDeleteValueRequest.fromPartial({ address })],
  ],
  'StorageService.DescribeValue': [[storage.DescribeValueRequest.fromPartial({ address })]],
  'StorageService.ReserveAddress': [[storage.ReserveAddressRequest.fromPartial({})]],
  'StorageService.DeleteValue': [[storage.DeleteValueRequest.fromPartial({ address })]],
  'StorageService.ListActs': [[storage.ListActsRequest.fromPartial({})]],
  'StorageService.ListValues': [[storage.ListValuesRequest.fromPartial({})]],
  'StorageService.StartUpload': [[storage.StartUploadRequest.fromPartial({ header: {} })]],
  'StorageService.GetUpload': [[storage.GetUploadRequest.fromPartial({ uploadId })]],
  'StorageService.OpenScope': [[storage.OpenScopeRequest.fromPartial({ lease: seconds(60) })]],
  'StorageService.KeepScopeAlive': [[storage.KeepScopeAliveRequest.fromPartial({ scope })]],
  'StorageService.CloseScope': [[storage.CloseScopeRequest.fromPartial({ scope })]],
}

const OUTPUT_ONLY = 'told only; what is read and written back is not refused for it'

/** Fields that are without effect on purpose, and why. */
const UNREAD: Readonly<Record<string, string>> = {
  'Namespace.exclusive_owner': OUTPUT_ONLY,
  'Namespace.exclusive_time': OUTPUT_ONLY,
  'Namespace.exclusive_ask_time': OUTPUT_ONLY,
  'Namespace.exclusive_expire_time': OUTPUT_ONLY,
  'Namespace.announced_limits': OUTPUT_ONLY,
  'Namespace.paused': OUTPUT_ONLY,
  'Namespace.paused_pools': OUTPUT_ONLY,
  'Schedule.etag': 'of an update, which reads it; one that is created may be the copy of another',
  'Schedule.paused': OUTPUT_ONLY,
  'Schedule.predefined': OUTPUT_ONLY,
  'Schedule.owner': OUTPUT_ONLY,
  'Schedule.next_run_time': OUTPUT_ONLY,
  'Schedule.last_job_id': OUTPUT_ONLY,
  'Schedule.pause_reason': OUTPUT_ONLY,
  'Schedule.failures_in_row': OUTPUT_ONLY,
  'Schedule.create_time': OUTPUT_ONLY,
  'Schedule.update_time': OUTPUT_ONLY,
  'Schedule.last_due_time': OUTPUT_ONLY,
  'Schedule.creator': OUTPUT_ONLY,
  'Schedule.payload_hidden': OUTPUT_ONLY,
  'Schedule.unreadable': OUTPUT_ONLY,
  'AttachRequest.heartbeat':
    'any message is a sign of life; it gives an empty one something to say',
}

interface Watched extends AnyRpc {
  readonly input: DescMessage
  readonly read: Set<string>
}

const rpcs = new Map<string, Watched>()
const addresses = { scheduler: '', executor: '', storage: '' }

for (const [server, definition] of [
  ['scheduler', proto.JobServiceService],
  ['scheduler', proto.ScheduleServiceService],
  ['scheduler', proto.NamespaceServiceService],
  ['scheduler', ExecutorServiceService],
  ['executor', ExecutorControlServiceService],
  ['storage', storage.StorageServiceService],
] as const) {
  for (const rpc of Object.values(definition)) {
    const [, service = '', method = ''] = /\.(\w+)\/(\w+)$/.exec(rpc.path) ?? []
    rpcs.set(`${service}.${method}`, {
      get address() {
        return addresses[server]
      },
      // A copy: what it reads of its requests is nobody's looking at them.
      definition: { ...rpc },
      ...watchRequests({ address: '', definition: rpc }),
    })
  }
}

beforeAll(async () => {
  const database = it.use(await openPglite({}))
  const bus = it.use(createInProcessBus())
  const log = createLogger({ name: 'test', level: 'silent' })
  const dataDir = await mkdtemp(join(tmpdir(), 'offstage-fields-'))
  it.defer(() => rm(dataDir, { recursive: true }))
  const env = { OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/unused' }
  const config = { ...readSchedulerConfig(env), port: 0 }
  const scheduler = it.use(createScheduler({ database, bus, log, config }))
  await scheduler.start()
  addresses.scheduler = scheduler.address
  const storageEnv = { OFFSTAGE_STORAGE_DATA_DIR: dataDir, OFFSTAGE_STORAGE_PORT: '0' }
  const values = createStorage({
    database,
    bus,
    log,
    config: readEmbeddedStorageConfig(storageEnv),
  })
  it.use(values)
  await values.start()
  addresses.storage = values.address
  const executorEnv = {
    OFFSTAGE_JOBS: fileURLToPath(new URL('./cluster/jobs.ts', import.meta.url)),
    OFFSTAGE_SCHEDULER: scheduler.address,
    OFFSTAGE_STORAGE: values.address,
    OFFSTAGE_EXECUTOR_PORT: '0',
  }
  const executor = it.use(createExecutor({ config: readExecutorConfig(executorEnv), log }))
  await executor.start()
  addresses.executor = executor.address
  const attach = rpcs.get('ExecutorService.Attach')
  if (attach !== undefined) await callAnyRpc(attach, [hello], {})
})
afterAll(() => it.disposeAsync())

describe.each([...rpcs])('%s', (name, rpc) => {
  const calls = CALLS[name]
  if (calls === undefined) {
    test('refuses every call, saying that it is still to come', async () => {
      const { outcome, text } = await callAnyRpc(rpc, {}, {})
      expect([outcome, text]).toEqual(['NOT_IMPLEMENTED', expect.stringContaining(name)])
    })
    return
  }

  test('looks at every field that its requests can have', async () => {
    for (const call of calls) await callAnyRpc(rpc, call, {})
    const fields = [...fieldsOf(rpc.input).keys()]
    const unread = fields.filter((field) => !rpc.read.has(field) && UNREAD[field] === undefined)
    expect(unread).toEqual([])
  })

  const enums = calls.flatMap((call) => placesOfEnums(rpc.input, call))
  test('has a call for every enum', () => {
    const fields = [...fieldsOf(rpc.input).values()]
    const named = fields.flatMap((one) => (one.field.enum === undefined ? [] : [one.name]))
    expect([...new Set(enums.map((place) => place.name))].sort()).toEqual(named.sort())
  })
  test.each(enums.map((place) => [place.path, place] as const))(
    'refuses a number that %s does not know',
    async (path, { field, requests }) => {
      const { outcome, text, messages } = await callAnyRpc(rpc, requests, {})
      const said = [outcome, text, inspect(messages, { depth: 10 })].join(' ')
      expect(said, path).toMatch(new RegExp(`${field.name}\\S* (is|must)`))
    },
  )
})

test('what is without effect on purpose is a field there is', () => {
  const all = [...rpcs.values()].flatMap(({ input }) => [...fieldsOf(input).keys()])
  expect(all).toEqual(expect.arrayContaining(Object.keys(UNREAD)))
})
