/**
 * Every RPC that names a thing of somebody × every role × own, foreign and missing things × namespaces, by token (rows J6, S4,
 * guarantee 8): what a caller may not touch is answered to the letter as what was never there.
 */
import { randomUUID } from 'node:crypto'
import { ROLES, type Role } from '@offstage/kit/auth'
import { Hello } from '@offstage/proto/executor'
import { JobFilter, JobSpec } from '@offstage/proto/jobs'
import { PutValueHeader } from '@offstage/proto/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EveryRpc, startEveryRpc, type Who } from './testing/every-rpc.ts'

let it: EveryRpc
beforeAll(async () => {
  it = await startEveryRpc()
})
afterAll(() => it[Symbol.asyncDispose]())

const namespace = 'rights'
const method = 'rights.method'
const root: Who = { user: 'root', role: 'admin' }

/** Things of ann in the namespace `rights`. */
async function thingsOfAnn() {
  const ann: Who = { user: 'ann', role: 'user' }
  const sent = async (name: string, request: object) =>
    (await it.call(name, ann, request, 'token')).messages[0]
  const parent = (
    await sent('JobService.StartJob', { namespace, job: JobSpec.fromPartial({ method }) })
  ).job
  const child = JobSpec.fromPartial({ method, parentJobId: parent.jobId })
  await sent('JobService.StartJob', { namespace, job: child })
  // Jobs that have ended: no watch or wait for them goes on.
  await sent('JobService.CancelJob', { namespace, jobId: parent.jobId, cascade: true })
  const { scope } = await sent('StorageService.OpenScope', { namespace })
  const { value } = await sent('StorageService.ReserveAddress', { namespace, scope })
  const header = PutValueHeader.fromPartial({ namespace })
  const { uploadId } = await sent('StorageService.StartUpload', { header })
  return { job: parent.jobId, address: value.address, scope, upload: uploadId } as {
    readonly [thing in 'job' | 'address' | 'scope' | 'upload']: string
  }
}

type Things = Awaited<ReturnType<typeof thingsOfAnn>>

/** A UUID of version 7, as ids of jobs are. */
function newId(): string {
  const id = randomUUID()
  return `${id.slice(0, 14)}7${id.slice(15)}`
}

/** The same by names that nobody ever gave. */
function missing(): Things {
  const id = () => randomUUID().replaceAll('-', '')
  return { job: newId(), address: `val_${id()}`, scope: `scp_${id()}`, upload: `upl_${id()}` }
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
const below = (job: string) => ({ namespace, filter: JobFilter.fromPartial({ parentJobId: job }) })

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
    .replaceAll(/(val|scp|upl)_[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '…')
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
    // Each has things of their own: some answers end them.
    const ofTheirOwn = await tell({ user: 'ann', role }, await thingsOfAnn())
    if (own.includes(role)) expect(ofTheirOwn).not.toBe(nothing)
    else expect(ofTheirOwn).toContain('PERMISSION_DENIED')
    const things = await thingsOfAnn()
    for (const user of ['ann', 'bob']) {
      const elsewhere = { user, role, namespace: 'elsewhere' }
      expect(await tell(elsewhere, things)).toBe(await tell(elsewhere, missing()))
    }
    const ofOthers = await tell({ user: 'bob', role }, things)
    if (others.includes(role)) expect(ofOthers).not.toBe(nothing)
    else expect(ofOthers).toBe(nothing)
  })
})

test('the request id of a foreign job is as good as one that nobody has used', async () => {
  const { job } = await thingsOfAnn()
  const bob: Who = { user: 'bob', role: 'user' }
  const told = async (requestId: string) => said('JobService.StartJob', bob, start({ requestId }))
  expect(await told(job)).toBe(await told(newId()))
})
