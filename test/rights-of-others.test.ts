/**
 * Every RPC that names a thing of somebody × every role × own, foreign and missing things × namespaces, by token (rows J6, S4,
 * guarantee 8): what a caller may not touch is answered to the letter as what was never there.
 */
import { randomUUID } from 'node:crypto'
import { ROLES, type Role } from '@offstage/kit/auth'
import { Hello } from '@offstage/proto/executor'
import { AcquireLockRequest, JobFilter, JobSpec, Schedule } from '@offstage/proto/jobs'
import { PutValueHeader } from '@offstage/proto/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EveryRpc, startEveryRpc, type Who } from './testing/every-rpc.ts'

let it: EveryRpc
beforeAll(async () => {
  it = await startEveryRpc()
})
afterAll(() => it[Symbol.asyncDispose]())

const namespace = 'rights'
/** One that may be had exclusively meanwhile. */
const leases = 'leases'
const method = 'rights.method'
const root: Who = { user: 'root', role: 'admin' }

/** What a thing of that kind of ann is called, in the namespace `rights`. */
const MADE: { readonly [thing in Thing]: () => Promise<string> } = {
  async job() {
    const { jobId } = (await sent('JobService.StartJob', start({}))).job
    await sent('JobService.StartJob', start({ parentJobId: jobId }))
    // Jobs that have ended: no watch or wait for them goes on.
    await sent('JobService.CancelJob', { namespace, jobId, cascade: true })
    return jobId
  },
  async key() {
    const key = newName('key')
    await sent('JobService.StartJob', start({ key }))
    return key
  },
  async schedule() {
    const scheduleId = newName('sch')
    const nightly = { scheduleId, timing: NIGHTLY, job: JobSpec.fromPartial({ method }) }
    const schedule = Schedule.fromPartial(nightly)
    await sent('ScheduleService.CreateSchedule', { namespace, schedule })
    return scheduleId
  },
  lease: async () =>
    (await sent('NamespaceService.CreateLease', { namespace: leases })).lease.leaseId,
  address: async () => (await sent('StorageService.ReserveAddress', { namespace })).value.address,
  async scope() {
    const { scope } = await sent('StorageService.OpenScope', { namespace })
    await sent('StorageService.ReserveAddress', { namespace, scope })
    return scope
  },
  upload: async () => (await sent('StorageService.StartUpload', upload({}))).uploadId,
}

async function sent(name: string, request: object) {
  const { messages } = await it.call(name, { user: 'ann', role: 'user' }, request, 'token')
  return messages[0]
}

/** Those that the request names. */
async function thingsOfAnn(requestFor: Request): Promise<Things> {
  const things: Record<Thing, string> = missing()
  const named = new Set<Thing>()
  const get = (_: unknown, thing: Thing) => {
    named.add(thing)
    return ''
  }
  requestFor(new Proxy(things, { get } as ProxyHandler<Things>))
  for (const thing of named) things[thing] = await MADE[thing]()
  return things
}

type Thing = 'job' | 'key' | 'schedule' | 'lease' | 'address' | 'scope' | 'upload'
type Things = Readonly<Record<Thing, string>>

/** A UUID of version 7, as ids of jobs are. */
function newId(): string {
  const id = randomUUID()
  return `${id.slice(0, 14)}7${id.slice(15)}`
}

/** The same by names that nobody ever gave. */
function missing(): Things {
  const ofStorage = { address: newName('val'), scope: newName('scp'), upload: newName('upl') }
  const named = { key: newName('key'), schedule: newName('sch') }
  return { job: newId(), lease: newId(), ...named, ...ofStorage }
}

function newName(kind: string): string {
  return `${kind}_${randomUUID().replaceAll('-', '')}`
}

const LOOKERS: readonly Role[] = ['admin', 'operator', 'user', 'service', 'reader']
const OWNERS: readonly Role[] = ['admin', 'operator', 'user', 'service']
const WRITERS: readonly Role[] = [...OWNERS, 'executor']
const SEEING: readonly Role[] = ['admin', 'operator', 'reader']
const ACTING: readonly Role[] = ['admin', 'operator']
const SERVING: readonly Role[] = ['admin', 'service']
const ONLY_ADMIN: readonly Role[] = ['admin']

const put = (header: object) => [
  { part: { $case: 'header', value: PutValueHeader.fromPartial({ namespace, ...header }) } },
  { part: { $case: 'chunk', value: Buffer.from('{}') } },
]
const upload = (header: object) => ({
  header: PutValueHeader.fromPartial({ namespace, ...header }),
})
const start = (spec: object) => ({ namespace, job: JobSpec.fromPartial({ method, ...spec }) })
const NIGHTLY = { $case: 'cron', value: '0 0 * * *' } as const
const byId = ({ job }: Things) => ({ namespace, jobId: job })
const named = ({ schedule }: Things) => ({ namespace, scheduleId: schedule })
const changed = (of: Things, updateMask: readonly string[], schedule: object) => ({
  namespace,
  schedule: Schedule.fromPartial({ scheduleId: of.schedule, ...schedule }),
  updateMask,
})
/** What a bulk verb would be done to. */
const previewed = (filter: object) => ({
  namespace,
  filter: JobFilter.fromPartial(filter),
  validateOnly: true,
})
const ofFilter = (filter: object) => ({ namespace, filter: JobFilter.fromPartial(filter) })
const below = (job: string) => ofFilter({ parentJobId: job })
const lockFor = (job: string) =>
  AcquireLockRequest.fromPartial({ namespace, name: 'a', holder: { $case: 'jobId', value: job } })

type Request = (things: Things) => object | readonly object[]

/** Who may touch a thing of their own by it, and who one of somebody else. */
const TOUCHING: readonly (readonly [string, string, readonly Role[], readonly Role[], Request])[] =
  [
    ['JobService.GetJob', '', LOOKERS, SEEING, ({ job }) => ({ namespace, jobId: job })],
    ['JobService.ListJobs', 'below', LOOKERS, SEEING, ({ job }) => below(job)],
    ['JobService.CountJobs', 'below', LOOKERS, SEEING, ({ job }) => below(job)],
    ['JobService.WaitJobs', '', LOOKERS, SEEING, ({ job }) => ({ namespace, jobIds: [job] })],
    [
      'JobService.WatchJobs',
      '',
      LOOKERS,
      SEEING,
      ({ job }) => ({ namespace, add: [{ jobId: job, afterSequence: 0 }] }),
    ],
    [
      'JobService.FollowJobs',
      '',
      LOOKERS,
      SEEING,
      ({ job }) => ({ namespace, targets: [{ jobId: job, afterSequence: 0 }] }),
    ],
    ['JobService.ListJobMessages', '', LOOKERS, SEEING, ({ job }) => ({ namespace, jobId: job })],
    ['JobService.ExplainJob', '', LOOKERS, SEEING, ({ job }) => ({ namespace, jobId: job })],
    ['JobService.CancelJob', '', OWNERS, ACTING, ({ job }) => ({ namespace, jobId: job })],
    ['JobService.StartJob', 'below', OWNERS, ONLY_ADMIN, ({ job }) => start({ parentJobId: job })],
    ['JobService.RetryJob', '', OWNERS, ACTING, byId],
    ['JobService.PinJob', '', OWNERS, ACTING, byId],
    ['JobService.UnpinJob', '', OWNERS, ACTING, byId],
    ['JobService.DeleteJob', '', OWNERS, ACTING, byId],
    ['JobService.CancelJobs', 'by key', OWNERS, ACTING, ({ key }) => previewed({ key })],
    ['JobService.RetryJobs', 'below', OWNERS, ACTING, ({ job }) => previewed({ parentJobId: job })],
    [
      'JobService.DeleteJobs',
      'below',
      OWNERS,
      ACTING,
      ({ job }) => previewed({ parentJobId: job }),
    ],
    ['JobService.ListJobs', 'by key', LOOKERS, SEEING, ({ key }) => ofFilter({ key })],
    ['JobService.CountJobs', 'by key', LOOKERS, SEEING, ({ key }) => ofFilter({ key })],
    ['ScheduleService.GetSchedule', '', LOOKERS, [...SEEING, 'service'], named],
    ['ScheduleService.ListNextRuns', '', LOOKERS, [...SEEING, 'service'], named],
    [
      'ScheduleService.UpdateSchedule',
      'of what it starts',
      OWNERS,
      SERVING,
      (of) => changed(of, ['job'], { job: JobSpec.fromPartial({ method, priority: 1 }) }),
    ],
    [
      'ScheduleService.UpdateSchedule',
      'of its times',
      OWNERS,
      [...ACTING, 'service'],
      (of) => changed(of, ['cron'], { timing: { $case: 'cron', value: '0 1 * * *' } }),
    ],
    [
      'ScheduleService.UpdateSchedule',
      'as it is not any more',
      OWNERS,
      [...ACTING, 'service'],
      (of) => changed(of, ['cron'], { timing: NIGHTLY, etag: '77' }),
    ],
    ['ScheduleService.PauseSchedule', '', OWNERS, [...ACTING, 'service'], named],
    ['ScheduleService.ResumeSchedule', '', OWNERS, [...ACTING, 'service'], named],
    ['ScheduleService.TriggerSchedule', '', OWNERS, [...ACTING, 'service'], named],
    [
      'ScheduleService.BackfillSchedule',
      '',
      OWNERS,
      [...ACTING, 'service'],
      (of) => ({
        ...named(of),
        beginTime: new Date('2026-03-01'),
        endTime: new Date('2026-03-03'),
      }),
    ],
    ['ScheduleService.DeleteSchedule', '', OWNERS, SERVING, named],
    ['NamespaceService.AcquireLock', 'for a job', OWNERS, [], ({ job }) => lockFor(job)],
    [
      'NamespaceService.AcquireLock',
      'for a lease',
      OWNERS,
      [],
      ({ lease }) =>
        AcquireLockRequest.fromPartial({
          ...{ namespace: leases, name: 'a', holder: { $case: 'leaseId', value: lease } },
        }),
    ],
    [
      'NamespaceService.RenewLease',
      '',
      OWNERS,
      [],
      ({ lease }) => ({ namespace: leases, leaseId: lease }),
    ],
    [
      'NamespaceService.EnterExclusiveMode',
      '',
      SERVING,
      [],
      ({ lease }) => ({ namespace: leases, leaseId: lease }),
    ],
    [
      'JobService.StartJob',
      'within exclusive mode',
      OWNERS,
      [],
      ({ lease }) => ({ ...start({ leaseId: lease }), namespace: leases }),
    ],
    ['StorageService.DescribeValue', '', WRITERS, SERVING, ({ address }) => ({ address })],
    ['StorageService.GetValue', '', WRITERS, SERVING, ({ address }) => ({ address })],
    [
      'StorageService.ListValues',
      'of a scope',
      WRITERS,
      SERVING,
      ({ scope }) => ({ namespace, scope }),
    ],
    ['StorageService.GetUpload', '', WRITERS, SERVING, ({ upload: uploadId }) => ({ uploadId })],
    [
      'StorageService.StartUpload',
      'to an address',
      WRITERS,
      SERVING,
      ({ address }) => upload({ address }),
    ],
    [
      'StorageService.StartUpload',
      'into a scope',
      WRITERS,
      SERVING,
      ({ scope }) => upload({ scope }),
    ],
    ['StorageService.ReserveAddress', '', WRITERS, SERVING, ({ scope }) => ({ namespace, scope })],
    ['StorageService.KeepScopeAlive', '', WRITERS, SERVING, ({ scope }) => ({ scope })],
    [
      'StorageService.PutValue',
      'at an address',
      WRITERS,
      SERVING,
      ({ address }) => put({ address }),
    ],
    ['StorageService.PutValue', 'into a scope', WRITERS, SERVING, ({ scope }) => put({ scope })],
    ['StorageService.ReadAndDeleteValue', '', WRITERS, SERVING, ({ address }) => ({ address })],
    ['StorageService.DeleteValue', '', WRITERS, SERVING, ({ address }) => ({ address })],
    ['StorageService.CloseScope', '', WRITERS, SERVING, ({ scope }) => ({ scope })],
  ]

/** What is said to somebody of things; ids and times differ, nothing else may. */
async function said(name: string, who: Who, request: ReturnType<Request>): Promise<string> {
  const { outcome, text, messages } = await it.call(name, who, request, 'token')
  const all = JSON.stringify([outcome, text, messages], (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return all
    .replaceAll(
      /(val|scp|upl|key|sch)_[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g,
      '…',
    )
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…')
}

beforeAll(async () => {
  const lanes = [{ lane: 1, slots: 1 } as const]
  const methods = [{ name: method }]
  const hello = Hello.fromPartial({ sessionId: randomUUID(), namespace, methods, lanes })
  await it.call('ExecutorService.Attach', root, { hello }, 'token')
})

describe.each(TOUCHING)('%s %s', (name, _how, own, others, requestFor) => {
  test.each(ROLES)('%s', async (role) => {
    const tell = (who: Who, things: Things) => said(name, who, requestFor(things))
    const nothing = await tell({ user: 'ann', role }, missing())
    const things = await thingsOfAnn(requestFor)
    for (const user of ['ann', 'bob']) {
      const elsewhere = { user, role, namespace: 'elsewhere' }
      expect(await tell(elsewhere, things)).toBe(await tell(elsewhere, missing()))
    }
    const ofOthers = await tell({ user: 'bob', role }, things)
    if (others.includes(role)) expect(ofOthers).not.toBe(nothing)
    else expect(ofOthers).toBe(nothing)
    // Some answers end what they are about; those of a refusal leave all to its owner.
    const left = others.includes(role) ? await thingsOfAnn(requestFor) : things
    const ofTheirOwn = await tell({ user: 'ann', role }, left)
    if (own.includes(role)) expect(ofTheirOwn).not.toBe(nothing)
    else expect(ofTheirOwn).toContain('PERMISSION_DENIED')
  })
})

test('the request id of a foreign job is as good as one that nobody has used', async () => {
  const job = await MADE.job()
  const bob: Who = { user: 'bob', role: 'user' }
  const told = async (requestId: string) => said('JobService.StartJob', bob, start({ requestId }))
  expect(await told(job)).toBe(await told(newId()))
})
