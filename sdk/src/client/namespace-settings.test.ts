import { Server, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import {
  Namespace,
  NamespaceServiceService,
  type UpdateNamespaceRequest,
} from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { listenLocally } from '../testing/fake-server.ts'
import { Offstage } from './offstage.ts'

/** A scripted scheduler that answers an update with what it was asked for. */
async function setup() {
  const server = new Server()
  const asked: UpdateNamespaceRequest[] = []
  const update = (
    { request }: ServerUnaryCall<UpdateNamespaceRequest, object>,
    callback: sendUnaryData<object>,
  ) => {
    asked.push(request)
    callback(null, { namespace: Namespace.fromPartial({ ...request.namespace, etag: '8' }) })
  }
  server.addService(NamespaceServiceService, { updateNamespace: update })
  const offstage = Offstage.dial({ scheduler: await listenLocally(server), namespace: 'space' })
  return {
    asked,
    settings: offstage.settings,
    async [Symbol.asyncDispose]() {
      await offstage.close()
      server.forceShutdown()
    },
  }
}

test('rules of retention are sent as they are meant, and told as they are in force', async () => {
  await using it = await setup()
  const { etag, retention } = await it.settings.update({
    etag: '7',
    retention: [
      { kind: 'program', state: 'failed', ageMsMax: 1_500 },
      { kind: 'system', countMax: Number.POSITIVE_INFINITY },
    ],
  })
  expect(it.asked).toMatchObject([
    {
      updateMask: ['retention'],
      namespace: {
        name: 'space',
        etag: '7',
        retention: [
          { kind: 1, state: 6, maxCount: 0n, maxAge: { seconds: 1n, nanos: 500_000_000 } },
          { kind: 2, state: 0, maxCount: -1n, maxAge: undefined },
        ],
      },
    },
  ])
  expect(etag).toBe('8')
  expect(retention[0]).toEqual({ kind: 'program', state: 'failed', countMax: 0, ageMsMax: 1_500 })
  expect(retention[1]?.countMax).toBe(Number.POSITIVE_INFINITY)
})

test('limits of methods are sent as they are meant, and told as they are in force', async () => {
  await using it = await setup()
  const { limits } = await it.settings.update({
    limits: [
      { method: 'a', concurrencyMax: 5, queuedMax: 9 },
      { method: 'a', per: 'params.tenant', rate: { count: 10, periodMs: 500, burst: 20 } },
      { method: 'b', rate: { count: 1 } },
    ],
  })
  const unset = { keyExpression: '', maxConcurrency: 0, rate: 0, burst: 0, maxQueued: 0 }
  expect(it.asked).toMatchObject([
    {
      updateMask: ['limits'],
      namespace: {
        limits: [
          { ...unset, method: 'a', maxConcurrency: 5, maxQueued: 9, ratePeriod: undefined },
          {
            ...unset,
            method: 'a',
            keyExpression: 'params.tenant',
            rate: 10,
            ratePeriod: { seconds: 0n, nanos: 500_000_000 },
            burst: 20,
          },
          { ...unset, method: 'b', rate: 1, ratePeriod: undefined },
        ],
      },
    },
  ])
  expect(limits[0]).toEqual({ method: 'a', concurrencyMax: 5, queuedMax: 9 })
  expect(limits[1]).toEqual({
    method: 'a',
    per: 'params.tenant',
    rate: { count: 10, periodMs: 500, burst: 20 },
  })
})

test('no rules at all are the defaults, and no change of rules leaves them as they are', async () => {
  await using it = await setup()
  await it.settings.update({ retention: [] })
  await it.settings.update({})
  expect(it.asked.map(({ updateMask }) => updateMask)).toEqual([['retention'], []])
})

test.each([
  ['kind', { retention: [{ kind: 'programs' }] }],
  ['a kind', { retention: [{}] }],
  ['countMax', { retention: [{ kind: 'program', countMax: 0 }] }],
  ['ageMaxMs', { retention: [{ kind: 'program', ageMaxMs: 5 }] }],
  ['method', { limits: [{ concurrencyMax: 1 }] }],
  ['concurrencyMax', { limits: [{ method: 'a', concurrencyMax: 0 }] }],
  ['a count', { limits: [{ method: 'a', rate: {} }] }],
  ['retentions', { retentions: [] }],
])('%s is named before any call where it is wrong', async (name, change) => {
  await using it = await setup()
  await expect(it.settings.update(change as never)).rejects.toThrow(name)
  expect(it.asked).toEqual([])
})
