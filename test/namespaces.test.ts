/** Every RPC that names a namespace, called with a token that does not (rows J6, S4, guarantee 8). */
import { randomUUID } from 'node:crypto'
import { type DescMessage, loadRegistry } from '@offstage/proto/descriptor-files'
import { ExecutorServiceService, Hello } from '@offstage/proto/executor'
import {
  AcquireLockRequest,
  CreateLeaseRequest,
  JobServiceService,
  JobSpec,
  Namespace,
  NamespaceServiceService,
  RefreshValuesRequest,
  ReleaseLockRequest,
  ReportLeaksRequest,
  Schedule,
  ScheduleServiceService,
  TrackLeaksRequest,
} from '@offstage/proto/jobs'
import { PutValueHeader, PutValueRequest, StorageServiceService } from '@offstage/proto/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AnyRpc, callAnyRpc } from './cluster/any-rpc.ts'
import { type Identified, startIdentified } from './testing/identified.ts'

const method = 'namespaces.method'
const jobId = randomUUID()
const scheduleId = 'namespaces-schedule'
const schedule = Schedule.fromPartial({
  scheduleId,
  job: { method },
  timing: { $case: 'cron', value: '0 0 * * *' },
})

/** What each is asked; what is in the namespace does not matter, since nothing of it may be looked at. */
const NAMING: Readonly<Record<string, (namespace: string) => object>> = {
  'JobService.StartJob': (namespace) => ({ namespace, job: JobSpec.fromPartial({ method }) }),
  'JobService.GetJob': (namespace) => ({ namespace, jobId }),
  'JobService.ListJobs': (namespace) => ({ namespace }),
  'JobService.WaitJobs': (namespace) => ({ namespace, jobIds: [jobId] }),
  'JobService.WatchJobs': (namespace) => ({ namespace, add: [{ jobId, afterSequence: 0 }] }),
  'JobService.FollowJobs': (namespace) => ({ namespace, targets: [{ jobId, afterSequence: 0 }] }),
  'JobService.CountJobs': (namespace) => ({ namespace }),
  'JobService.CancelJob': (namespace) => ({ namespace, jobId }),
  'JobService.CancelJobs': (namespace) => ({ namespace, all: true, requestId: '', reason: '' }),
  'JobService.RetryJobs': (namespace) => ({ namespace, all: true, requestId: '' }),
  'JobService.DeleteJobs': (namespace) => ({ namespace, all: true, requestId: '' }),
  'JobService.RetryJob': (namespace) => ({ namespace, jobId, requestId: randomUUID() }),
  'JobService.DeleteJob': (namespace) => ({ namespace, jobId }),
  'JobService.PinJob': (namespace) => ({ namespace, jobId }),
  'JobService.UnpinJob': (namespace) => ({ namespace, jobId }),
  'JobService.ListJobMessages': (namespace) => ({ namespace, jobId }),
  'JobService.ExplainJob': (namespace) => ({ namespace, jobId }),
  'ScheduleService.CreateSchedule': (namespace) => ({ namespace, schedule }),
  'ScheduleService.UpdateSchedule': (namespace) => ({ namespace, schedule }),
  'ScheduleService.GetSchedule': (namespace) => ({ namespace, scheduleId }),
  'ScheduleService.ListSchedules': (namespace) => ({ namespace }),
  'ScheduleService.DeleteSchedule': (namespace) => ({ namespace, scheduleId }),
  'ScheduleService.PauseSchedule': (namespace) => ({ namespace, scheduleId, reason: '' }),
  'ScheduleService.ResumeSchedule': (namespace) => ({ namespace, scheduleId }),
  'ScheduleService.TriggerSchedule': (namespace) => ({ namespace, scheduleId, requestId: '' }),
  'ScheduleService.BackfillSchedule': (namespace) => ({
    ...{ namespace, scheduleId },
    ...{ beginTime: new Date('2026-01-01'), endTime: new Date('2026-01-02') },
  }),
  'ScheduleService.ListNextRuns': (namespace) => ({ namespace, scheduleId }),
  'NamespaceService.GetNamespace': (namespace) => ({ namespace }),
  'NamespaceService.UpdateNamespace': (name) => ({
    namespace: Namespace.fromPartial({ name }),
  }),
  'NamespaceService.PreviewRetention': (namespace) => ({ namespace, retention: [] }),
  'NamespaceService.CreateLease': (namespace) => CreateLeaseRequest.fromPartial({ namespace }),
  'NamespaceService.RenewLease': (namespace) => ({ namespace, leaseId: jobId }),
  'NamespaceService.EndLease': (namespace) => ({ namespace, leaseId: jobId }),
  'NamespaceService.EnterExclusiveMode': (namespace) => ({ namespace, leaseId: jobId, jobId: '' }),
  'NamespaceService.LeaveExclusiveMode': (namespace) => ({ namespace, leaseId: jobId }),
  'NamespaceService.ListExecutors': (namespace) => ({ namespace }),
  'NamespaceService.PauseNamespace': (namespace) => ({ namespace }),
  'NamespaceService.ResumeNamespace': (namespace) => ({ namespace }),
  'NamespaceService.ListActs': (namespace) => ({ namespace }),
  'NamespaceService.AcquireLock': (namespace) =>
    AcquireLockRequest.fromPartial({
      ...{ namespace, name: 'a' },
      holder: { $case: 'jobId', value: jobId },
    }),
  'NamespaceService.ReleaseLock': (namespace) =>
    ReleaseLockRequest.fromPartial({ namespace, name: 'a' }),
  'NamespaceService.ListLocks': (namespace) => ({ namespace, pageSize: 0, pageToken: '' }),
  'NamespaceService.ListMethods': (namespace) => ({ namespace }),
  'NamespaceService.RefreshValues': (namespace) =>
    RefreshValuesRequest.fromPartial({ namespace, scopes: [{ tag: 'a' }] }),
  'NamespaceService.ListRefreshes': (namespace) => ({ namespace }),
  'NamespaceService.WatchRefreshes': (namespace) => ({ namespace, afterEpoch: -1n }),
  'NamespaceService.TrackLeaks': (namespace) =>
    TrackLeaksRequest.fromPartial({ namespace, names: ['a'] }),
  'NamespaceService.StopTrackingLeaks': (namespace) => ({ namespace, names: [] }),
  'NamespaceService.ListLeaks': (namespace) => ({ namespace }),
  'NamespaceService.ReportLeaks': (namespace) =>
    ReportLeaksRequest.fromPartial({ namespace, reporter: 'one' }),
  'NamespaceService.PauseMethod': (namespace) => ({ namespace, method }),
  'NamespaceService.ResumeMethod': (namespace) => ({ namespace, method }),
  'NamespaceService.PausePool': (namespace) => ({ namespace, pool: 'gpu' }),
  'NamespaceService.ResumePool': (namespace) => ({ namespace, pool: 'gpu' }),
  'ExecutorService.Attach': (namespace) => ({
    hello: Hello.fromPartial({
      ...{ sessionId: randomUUID(), namespace, name: 'stranger' },
      ...{ methods: [{ name: method }], lanes: [{ lane: 1, slots: 1 }] },
    }),
  }),
  'ExecutorService.IssueAttemptToken': (namespace) => ({
    namespace,
    sessionId: randomUUID(),
    jobId,
    attempt: 1,
  }),
  'StorageService.PutValue': (namespace) =>
    PutValueRequest.fromPartial({
      part: { $case: 'header', value: PutValueHeader.fromPartial({ namespace }) },
    }),
  'StorageService.ReserveAddress': (namespace) => ({ namespace }),
  'StorageService.ListActs': (namespace) => ({ namespace }),
  'StorageService.ListValues': (namespace) => ({ namespace }),
  'StorageService.StartUpload': (namespace) => ({
    header: PutValueHeader.fromPartial({ namespace }),
  }),
  'StorageService.OpenScope': (namespace) => ({ namespace }),
}

let it: Identified
const rpcs = new Map<string, AnyRpc>()
beforeAll(async () => {
  it = await startIdentified()
  const servers = [
    [it.scheduler, JobServiceService],
    [it.scheduler, NamespaceServiceService],
    [it.scheduler, ScheduleServiceService],
    [it.scheduler, ExecutorServiceService],
    [it.storage, StorageServiceService],
  ] as const
  for (const [address, definition] of servers) {
    for (const rpc of Object.values(definition)) {
      const [, service = '', name = ''] = /\.(\w+)\/(\w+)$/.exec(rpc.path) ?? []
      rpcs.set(`${service}.${name}`, { address, definition: rpc })
    }
  }
})
afterAll(() => it[Symbol.asyncDispose]())

async function ask(name: string, asked: object, namespaces: readonly string[] | 'all') {
  const rpc = rpcs.get(name)
  if (rpc === undefined) throw new Error(`there is no ${name}`)
  const token = await it.issuer.sign({ user: 'root', roles: ['admin'], namespaces })
  return callAnyRpc(rpc, asked, { authorization: `Bearer ${token}` })
}

/** Whether a field of the message, or of what it carries, names a namespace. */
function namesNamespace(message: DescMessage, seen = new Set<DescMessage>()): boolean {
  if (seen.has(message)) return false
  seen.add(message)
  return message.fields.some(
    (field) =>
      field.name === 'namespace' ||
      (field.message !== undefined && namesNamespace(field.message, seen)),
  )
}

const requests: ReadonlyMap<string, DescMessage> = new Map(
  [...loadRegistry().files].flatMap(({ services }) =>
    services.flatMap(({ name, methods }) =>
      methods.map((method) => [`${name}.${method.name}`, method.input] as const),
    ),
  ),
)

test('every RPC that names a namespace and is there has a line in the table', async () => {
  const inputs = [...rpcs.keys()].map((name) => [name, requests.get(name)] as const)
  expect(inputs.filter(([, input]) => input === undefined)).toEqual([])
  const all = inputs.flatMap(([name, input]) => (input && namesNamespace(input) ? [name] : []))
  expect(all).toEqual(expect.arrayContaining(['NamespaceService.UpdateNamespace']))
  const outcomes = await Promise.all(
    all
      .filter((name) => NAMING[name] === undefined)
      .map(async (name) => [name, (await ask(name, {}, 'all')).outcome]),
  )
  // StartJobs answers for each job apart; see below. Every answer of those that are not there yet is the same.
  const apart = ['JobService.StartJobs']
  const missing = outcomes.filter(
    ([name, outcome]) => outcome !== 'NOT_IMPLEMENTED' && !apart.includes(name ?? ''),
  )
  expect(missing).toEqual([])
})

describe.each(Object.entries(NAMING))('%s', (name, asked) => {
  test('a namespace the token does not name is not there, to administrators as well', async () => {
    for (const namespace of ['default', 'others']) {
      const { outcome, messages } = await ask(name, asked(namespace), ['mine'])
      expect([outcome, messages]).toEqual(['NAMESPACE_NOT_FOUND', []])
    }
  })

  test('one that it names is', async () => {
    const { outcome } = await ask(name, asked('mine'), ['yours', 'mine'])
    expect(outcome).not.toBe('NAMESPACE_NOT_FOUND')
  })
})

test('of many starts in such a namespace none is made', async () => {
  const jobs = [JobSpec.fromPartial({ method }), JobSpec.fromPartial({ method })]
  const { outcome, messages } = await ask('JobService.StartJobs', { namespace: 'others', jobs }, [
    'mine',
  ])
  const reasons = JSON.stringify(messages[0]?.outcomes ?? outcome)
  expect(reasons).toContain(messages.length === 0 ? 'NAMESPACE_NOT_FOUND' : 'others')
  const { messages: listed } = await ask('JobService.ListJobs', { namespace: 'others' }, 'all')
  expect(listed[0].jobs).toEqual([])
})
