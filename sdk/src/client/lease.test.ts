import { Server, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import {
  type CreateLeaseRequest,
  type EndLeaseRequest,
  type Lease,
  NamespaceServiceService,
  type RenewLeaseRequest,
} from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { createManualClock } from '../idle/manual-clock.ts'
import { until } from '../testing/client-fixture.ts'
import { listenLocally, type Refused, refusalOf } from '../testing/fake-server.ts'
import { Offstage } from './offstage.ts'

const LEASE_MS = 30_000

/** A scripted scheduler with one lease, and a clock that is an hour behind. */
async function setup() {
  const server = new Server()
  const expireTime = new Date(Date.now() - 3_600_000)
  const granted: Lease = {
    ...{ leaseId: 'l-1', owner: 'ann', displayName: '', expireTime },
    duration: durationFrom(LEASE_MS),
  }
  const it = { created: [] as CreateLeaseRequest[], renewals: 0, ended: 0 }
  let refusal: Refused | undefined
  const answer = (callback: sendUnaryData<object>, value: object) =>
    refusal === undefined ? callback(null, value) : callback(refusalOf(refusal))
  server.addService(NamespaceServiceService, {
    createLease(
      call: ServerUnaryCall<CreateLeaseRequest, object>,
      callback: sendUnaryData<object>,
    ) {
      it.created.push(call.request)
      answer(callback, { lease: granted })
    },
    renewLease(_: ServerUnaryCall<RenewLeaseRequest, object>, callback: sendUnaryData<object>) {
      it.renewals += 1
      answer(callback, { lease: granted })
    },
    endLease(_: ServerUnaryCall<EndLeaseRequest, object>, callback: sendUnaryData<object>) {
      it.ended += 1
      answer(callback, {})
    },
  })
  const clock = createManualClock()
  const scheduler = await listenLocally(server)
  const offstage = Offstage.dial({ scheduler, namespace: 'space', clock })
  return Object.assign(it, {
    clock,
    offstage,
    refuse(by: Refused) {
      refusal = by
    },
    async [Symbol.asyncDispose]() {
      await offstage.close()
      server.forceShutdown()
      if (clock.pendingTimers > 0) throw new Error('a timer was left')
    },
  })
}

/** A third of the lease passes, and the renewal with it. */
async function third(it: Awaited<ReturnType<typeof setup>>) {
  const { renewals } = it
  await it.clock.advance(LEASE_MS / 3)
  await until(() => it.renewals > renewals && it.clock.pendingTimers === 1)
}

test('a lease is renewed at each third, whatever the clock of the service says, and ended with its block', async () => {
  await using it = await setup()
  {
    await using lease = await it.offstage.lease({ durationMs: LEASE_MS, displayName: 'x' })
    expect(lease.id).toBe('l-1')
    for (let count = 0; count < 5; count++) await third(it)
    expect(lease.signal.aborted).toBe(false)
  }
  const duration = durationFrom(LEASE_MS)
  expect(it.created).toMatchObject([{ namespace: 'space', displayName: 'x', duration }])
  expect(it.ended).toBe(1)
})

test('a lease whose renewals fail is lost when it has run out, and not a moment later', async () => {
  await using it = await setup()
  const lease = await it.offstage.lease({ durationMs: LEASE_MS })
  await third(it)
  it.refuse({ code: status.UNAVAILABLE, reason: 'OVERLOADED' })
  await third(it)
  await third(it)
  await it.clock.advance(LEASE_MS / 3 - 1)
  expect(lease.signal.aborted).toBe(false)
  await it.clock.advance(1)
  expect(String(lease.signal.reason)).toContain('lease l-1 was lost')
})

test('one that the service no longer knows is lost at once', async () => {
  await using it = await setup()
  const lease = await it.offstage.lease({ durationMs: LEASE_MS })
  it.refuse({ code: status.NOT_FOUND, reason: 'LEASE_NOT_FOUND' })
  await it.clock.advance(LEASE_MS / 3)
  await until(() => lease.signal.aborted || it.clock.pendingTimers === 1)
  expect(lease.signal.aborted).toBe(true)
})

test('a wrong option is told before anything is asked', async () => {
  await using it = await setup()
  await expect(it.offstage.lease({ durationMs: 4_999 })).rejects.toThrow(
    'durationMs must be milliseconds from 5000',
  )
  expect(it.created).toEqual([])
})
