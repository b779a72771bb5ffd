import {
  Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import type {
  RefreshValuesRequest,
  RefreshValuesResponse,
  WatchRefreshesRequest,
  WatchRefreshesResponse,
} from '@offstage/proto/jobs'
import { NamespaceServiceService } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { listenLocally, refusalOf } from '../testing/fake-server.ts'
import { createValuesStore, reusable } from '../values/mod.ts'
import { Offstage } from './offstage.ts'

type Watch = ServerWritableStream<WatchRefreshesRequest, WatchRefreshesResponse>

/** A scripted scheduler: it takes refreshes, and what watches are told is up to the test. */
async function setup() {
  const server = new Server()
  const watches: Watch[] = []
  const asked: RefreshValuesRequest[] = []
  const answers: (() => void)[] = []
  const it = { refusal: undefined as Error | undefined, isHolding: false }
  server.addService(NamespaceServiceService, {
    watchRefreshes: (watch: Watch) => {
      if (it.refusal === undefined) watches.push(watch)
      else watch.emit('error', it.refusal)
    },
    refreshValues: (
      { request }: ServerUnaryCall<RefreshValuesRequest, RefreshValuesResponse>,
      callback: sendUnaryData<RefreshValuesResponse>,
    ) => {
      asked.push(request)
      const answer = () => callback(null, { epoch: BigInt(asked.length) })
      if (it.isHolding) answers.push(answer)
      else answer()
    },
  })
  const scheduler = await listenLocally(server)
  const offstage = Offstage.dial({ scheduler, namespace: 'space' })
  const store = createValuesStore()
  let runs = 0
  const rate = reusable((currency: string) => ({ currency, run: ++runs }), {
    name: 'rate',
    store,
    tags: ({ currency }) => [`currency:${currency}`],
  })
  const opened = async (count: number) => {
    await until(() => watches.length === count)
    return watches[count - 1] as Watch
  }
  return Object.assign(it, {
    offstage,
    store,
    rate,
    asked,
    answers,
    opened,
    async [Symbol.asyncDispose]() {
      store.close()
      await offstage.close()
      server.forceShutdown()
    },
  })
}

const NONE = { function: '', params: undefined as string | undefined, tag: '' }
const told = (epoch: number, scopes: readonly Partial<typeof NONE>[] = [], all = false) => ({
  epoch: BigInt(epoch),
  all,
  refreshes: scopes.map((scope) => ({ epoch: BigInt(epoch), scope: { ...NONE, ...scope } })),
})

test('what others refresh is dropped here, and no more', async () => {
  await using it = await setup()
  const { ready } = it.offstage.connectValues({ store: it.store })
  const watch = await it.opened(1)
  expect(watch.request).toMatchObject({ namespace: 'space', afterEpoch: 0n })
  watch.write(told(3))
  await ready
  it.rate('EUR')
  it.rate('USD')
  watch.write(told(4, [{ tag: 'currency:EUR' }]))
  await until(() => it.rate.statistics().entries === 1)
  expect(it.rate('USD').run).toBe(2)
  watch.write(told(5, [], true))
  await until(() => it.rate.statistics().entries === 0)
})

test('what was remembered before the first contact is dropped with it: nobody knows what it missed', async () => {
  await using it = await setup()
  it.rate('EUR')
  const { ready } = it.offstage.connectValues({ store: it.store })
  const watch = await it.opened(1)
  watch.write(told(7))
  await ready
  expect(it.rate.statistics().entries).toBe(0)
  expect(it.offstage.refreshPort.epoch).toBe(7)
})

test('a stream that broke is opened again after the last epoch, and nothing is dropped for that', async () => {
  await using it = await setup()
  const { ready } = it.offstage.connectValues({ store: it.store })
  const first = await it.opened(1)
  first.write(told(3))
  await ready
  it.rate('EUR')
  first.emit('error', refusalOf({ code: status.UNAVAILABLE, reason: 'SHUTTING_DOWN' }))
  const second = await it.opened(2)
  expect(second.request.afterEpoch).toBe(3n)
  expect(it.rate.statistics().entries).toBe(1)
  second.write(told(9, [{ function: 'rate', params: '["EUR"]' }]))
  await until(() => it.rate.statistics().entries === 0)
})

test('what is refreshed while a call is under way goes with the next one, each scope once', async () => {
  await using it = await setup()
  it.isHolding = true
  const first = it.offstage.refreshValues({ tag: 'a' })
  await until(() => it.asked.length === 1)
  const others = ['b', 'c', 'b'].map((tag) => it.offstage.refreshValues({ tag }))
  it.isHolding = false
  it.answers[0]?.()
  await Promise.all([first, ...others])
  const tags = it.asked.map(({ scopes }) => scopes.map(({ tag }) => tag))
  expect(tags).toEqual([['a'], ['b', 'c']])
})

test('the epoch of a refresh of its own is known once that has resolved, heard of or not', async () => {
  await using it = await setup()
  const { refreshPort } = it.offstage
  expect(refreshPort.knownEpoch).toBe(0)
  await it.offstage.refreshValues({ tag: 'a' })
  await it.offstage.refreshValues({ tag: 'b' })
  expect(refreshPort.knownEpoch).toBe(2)
  expect(refreshPort.epoch).toBe(undefined)
  const { ready } = it.offstage.connectValues({ store: it.store })
  const watch = await it.opened(1)
  watch.write(told(5))
  await ready
  expect(refreshPort.knownEpoch).toBe(5)
})

test('an epoch that goes back is of another database, where nothing of its own is known', async () => {
  await using it = await setup()
  const { refreshPort } = it.offstage
  const { ready } = it.offstage.connectValues({ store: it.store })
  const watch = await it.opened(1)
  watch.write(told(1))
  await ready
  await it.offstage.refreshValues({ tag: 'a' })
  await it.offstage.refreshValues({ tag: 'b' })
  watch.write(told(0, [], true))
  await until(() => refreshPort.knownEpoch === 0)
})

test('parameters that are too long for a message are refreshed with their function', async () => {
  await using it = await setup()
  await it.offstage.refreshValues({ function: 'rate', params: ['x'.repeat(2_000)] })
  expect(it.asked).toMatchObject([{ scopes: [{ function: 'rate', params: undefined }] }])
})

test.each([
  ['the tag of a refresh must be at most 200', { tag: 'x'.repeat(201) }],
  ['the tag of a refresh has half of a character', { tag: 'user:\ud800' }],
  ['the name of the function of a refresh has half of a character', { function: '\udfff' }],
])(
  'what would not reach others as it is is refused, and no scheduler is asked: %s',
  async (message, target) => {
    await using it = await setup()
    it.rate('EUR')
    await expect(it.offstage.refreshValues(target)).rejects.toThrow(message)
    expect(it.asked).toEqual([])
  },
)

test('parameters with half of a character reach others as they are', async () => {
  await using it = await setup()
  await it.offstage.refreshValues({ function: 'rate', params: ['\ud800'] })
  expect(it.asked).toMatchObject([{ scopes: [{ function: 'rate', params: '["\\ud800"]' }] }])
})

test('a client that may not hear of refreshes is told so', async () => {
  await using it = await setup()
  it.refusal = refusalOf({ code: status.PERMISSION_DENIED, reason: 'PERMISSION_DENIED' })
  const { ready } = it.offstage.connectValues({ store: it.store })
  await expect(ready).rejects.toMatchObject({ reason: 'PERMISSION_DENIED' })
})
