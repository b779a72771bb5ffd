import { Server, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import {
  type EnterExclusiveModeRequest,
  JobServiceService,
  Namespace,
  NamespaceServiceService,
  StartedJob,
  type StartJobRequest,
} from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { createManualClock } from '../idle/manual-clock.ts'
import { until } from '../testing/client-fixture.ts'
import { listenLocally, type Refused, refusalOf } from '../testing/fake-server.ts'
import { Offstage } from './offstage.ts'

const SINCE = new Date('2027-01-01T12:00:00Z')
const HELD = { exclusiveOwner: 'ann', exclusiveAskTime: SINCE, exclusiveExpireTime: SINCE }

/** A scripted scheduler. */
async function setup() {
  const server = new Server()
  const it = {
    entered: [] as EnterExclusiveModeRequest[],
    started: [] as string[],
    ended: 0,
    reads: 0,
    namespace: {} as object,
  }
  let refusal: Refused | undefined
  const call =
    <Req>(answer: (request: Req) => object) =>
    ({ request }: ServerUnaryCall<Req, object>, callback: sendUnaryData<object>) =>
      refusal === undefined ? callback(null, answer(request)) : callback(refusalOf(refusal))
  server.addService(NamespaceServiceService, {
    createLease: (_: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) =>
      callback(null, { lease: { leaseId: 'l-1', duration: durationFrom(60_000) } }),
    endLease(_: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) {
      it.ended += 1
      callback(null, {})
    },
    enterExclusiveMode: call((request: EnterExclusiveModeRequest) => {
      it.entered.push(request)
      return { exclusiveTime: SINCE }
    }),
    getNamespace: call(() => {
      it.reads += 1
      return { namespace: Namespace.fromPartial(it.namespace) }
    }),
  })
  server.addService(JobServiceService, {
    startJob: call(({ job }: StartJobRequest) => {
      it.started.push(job?.leaseId ?? '')
      return { job: StartedJob.fromPartial({ jobId: 'j-1' }) }
    }),
  })
  const clock = createManualClock()
  const scheduler = await listenLocally(server)
  const offstage = Offstage.dial({ scheduler, clock })
  return Object.assign(it, {
    clock,
    offstage,
    refuse: (by: Refused | undefined) => {
      refusal = by
    },
    async [Symbol.asyncDispose]() {
      await offstage.close()
      server.forceShutdown()
    },
  })
}

test('what the client starts belongs to its lease until it leaves, which is once', async () => {
  await using it = await setup()
  await it.offstage.startJob('a')
  {
    await using mode = await it.offstage.exclusive({ timeoutMs: 30_000, cancelRunning: true })
    expect(mode).toMatchObject({ leaseId: 'l-1', since: SINCE })
    await it.offstage.startJob('a')
    await it.offstage.startJob('a', undefined, { leaseId: 'l-2' })
    await mode.leave()
  }
  await it.offstage.startJob('a')
  expect(it.started).toEqual(['', 'l-1', 'l-2', ''])
  expect(it.entered).toMatchObject([
    { leaseId: 'l-1', timeout: durationFrom(30_000), cancelRunning: true, jobId: '' },
  ])
  expect(it.ended).toBe(1)
})

test('where it is not granted its lease is ended', async () => {
  await using it = await setup()
  it.refuse({ code: status.FAILED_PRECONDITION, reason: 'NAMESPACE_BUSY' })
  await expect(it.offstage.exclusive()).rejects.toMatchObject({ reason: 'NAMESPACE_BUSY' })
  expect(it.ended).toBe(1)
  await expect(it.offstage.exclusive({ timeoutMs: 60_001 })).rejects.toThrow('timeoutMs must be')
})

test('a watch tells how it is, and each time it has become otherwise', async () => {
  await using it = await setup()
  const end = new AbortController()
  const watch = it.offstage.watchExclusiveMode({ signal: end.signal })
  expect((await watch.next()).value).toBeUndefined()
  const next = watch.next()
  await until(() => it.clock.pendingTimers === 1)
  const { reads } = it
  await it.clock.advance(1_000)
  await until(() => it.reads > reads && it.clock.pendingTimers === 1)
  it.namespace = HELD
  await it.clock.advance(1_000)
  expect((await next).value).toEqual({ owner: 'ann', askedAt: SINCE, until: SINCE })
  expect(await it.offstage.isExclusiveMode()).toBe(true)
  end.abort()
  expect((await watch.next()).done).toBe(true)
})

test('idle handlers are held back while somebody else has the namespace, and while nobody knows', async () => {
  await using it = await setup()
  let blocks = 0
  const release = () => void blocks--
  const blockAll = () => {
    blocks += 1
    return { unblock: release, [Symbol.dispose]: release }
  }
  it.namespace = HELD
  const turn = async () => {
    const { reads } = it
    await until(() => it.clock.pendingTimers === 1)
    await it.clock.advance(1_000)
    await until(() => it.reads > reads && it.clock.pendingTimers === 1)
  }
  {
    using _ = it.offstage.blockWhileExclusive({ blockAll })
    await until(() => blocks === 1)
    it.refuse({ code: status.PERMISSION_DENIED, reason: 'PERMISSION_DENIED' })
    await until(() => it.clock.pendingTimers === 1)
    await it.clock.advance(1_000)
    await until(() => it.clock.pendingTimers === 1)
    it.refuse(undefined)
    await turn()
    expect(blocks).toBe(1)
    it.namespace = {}
    await turn()
    expect(blocks).toBe(0)
    it.namespace = HELD
    await turn()
    expect(blocks).toBe(1)
  }
  await until(() => blocks === 0)
})
