/** Locks that are taken without a lease belong to the run they are taken in (row E1). */
import { Server, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import {
  type AcquireLockRequest,
  AcquireLockResponse,
  type CreateLeaseRequest,
  CreateLeaseResponse,
  NamespaceServiceService,
} from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { type LeftOpenReport, runInScope } from '../runs/mod.ts'
import { listenLocally, type Refused, refusalOf } from '../testing/fake-server.ts'
import { Offstage } from './offstage.ts'

async function setup() {
  const said: string[] = []
  const it: { refusal?: Refused } = {}
  const server = new Server()
  let leases = 0
  server.addService(NamespaceServiceService, {
    createLease(
      { request }: ServerUnaryCall<CreateLeaseRequest, object>,
      answer: sendUnaryData<object>,
    ) {
      said.push(`lease ${request.displayName}`)
      if (it.refusal !== undefined) return answer(refusalOf(it.refusal))
      const lease = { leaseId: `l-${++leases}`, duration: durationFrom(60_000) }
      answer(null, CreateLeaseResponse.fromPartial({ lease }))
    },
    endLease({ request }: { request: { leaseId: string } }, answer: sendUnaryData<object>) {
      said.push(`end ${request.leaseId}`)
      answer(null, {})
    },
    acquireLock(
      { request }: ServerUnaryCall<AcquireLockRequest, object>,
      answer: sendUnaryData<object>,
    ) {
      said.push(`lock ${request.name} by ${request.holder?.value}`)
      const lock = { name: request.name, fencingToken: 1n }
      answer(null, AcquireLockResponse.fromPartial({ locks: [lock] }))
    },
  })
  const offstage = Offstage.dial({ scheduler: await listenLocally(server) })
  return Object.assign(it, {
    said,
    offstage,
    async [Symbol.asyncDispose]() {
      await offstage.close()
      server.forceShutdown()
    },
  })
}

test('all locks of a run share a lease, which ends with the run and is told to nobody', async () => {
  await using it = await setup()
  const told: LeftOpenReport[] = []
  const run = async () => {
    const [a] = await Promise.all([it.offstage.lock('a'), it.offstage.lock('b')])
    expect(a?.signal?.aborted).toBe(false)
  }
  await runInScope('GET /orders', run, { onLeftOpen: (report) => told.push(report) })
  expect(it.said.toSorted()).toEqual([
    'end l-1',
    'lease GET /orders',
    'lock a by l-1',
    'lock b by l-1',
  ])
  expect(told).toEqual([])
  await runInScope('again', () => it.offstage.lock('a'))
  expect(it.said.slice(-3)).toEqual(['lease again', 'lock a by l-2', 'end l-2'])
})

test('a run within a run has a lease of its own, and a lease that is given is left alone', async () => {
  await using it = await setup()
  await runInScope('outer', async () => {
    await it.offstage.lock('a')
    await runInScope('inner', () => it.offstage.lock('b'))
    expect(it.said.at(-1)).toBe('end l-2')
    await it.offstage.lock('c')
    await it.offstage.lock('d', { lease: 'mine' })
  })
  expect(it.said.slice(-3)).toEqual(['lock c by l-1', 'lock d by mine', 'end l-1'])
})

test('a lease that was refused is asked for again by the next lock', async () => {
  await using it = await setup()
  await runInScope('a', async () => {
    it.refusal = { code: 8, reason: 'QUOTA_EXCEEDED' } as Refused
    await expect(it.offstage.lock('a')).rejects.toThrow()
    delete it.refusal
    await it.offstage.lock('a')
  })
  expect(it.said.slice(-3)).toEqual(['lease a', 'lock a by l-1', 'end l-1'])
})

test('outside of a run a lock must be given a lease, and a bad name is refused before one is asked for', async () => {
  await using it = await setup()
  await expect(it.offstage.lock('a')).rejects.toThrow('must be given a lease')
  await expect(runInScope('a', () => it.offstage.lock(''))).rejects.toThrow('name of a lock')
  const half = runInScope('a', () => it.offstage.lock('\ud800'))
  await expect(half).rejects.toThrow('half of a character')
  expect(it.said).toEqual([])
})
