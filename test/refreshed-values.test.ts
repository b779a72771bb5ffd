/** Refreshes of reusable values across threads, executors, schedulers and clients, each in processes of their own (row C6). */
import { Offstage } from '@offstage/sdk'
import { remoteReusable, tierOf } from '@offstage/sdk/tiers'
import {
  createValuesStore,
  type RefreshTarget,
  reusable,
  runWithValuesIdentity,
} from '@offstage/sdk/values'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import {
  change,
  type exposedPrice,
  lookInline,
  lookProcess,
  lookTask,
  privilegedPrice,
} from './cluster/value-jobs.ts'
import { callingAs, userOfTests } from './guarded/access.ts'

const jobs = new URL('./cluster/value-jobs.ts', import.meta.url)
/** Less than the sweep for lost hints takes, more than anything else does. */
const LONG = { timeout: 120_000 }

const resources = new AsyncDisposableStack()
let cluster: Cluster
let one: Awaited<ReturnType<typeof connectClient>>
let other: typeof one
beforeAll(async () => {
  cluster = resources.use(
    await startCluster({
      jobs,
      schedulers: 2,
      executors: 2,
      env: {
        OFFSTAGE_SCHEDULER_REFRESH_SWEEP: '2s',
        OFFSTAGE_EXECUTOR_TASK_SLOTS: '1',
        OFFSTAGE_EXECUTOR_PROCESS_SLOTS: '1',
      },
    }),
  )
  one = resources.use(await connectClient(0))
  other = resources.use(await connectClient(1))
}, 120_000)
afterAll(() => resources.disposeAsync())

/** A client with values of its own, beside the scheduler of that number. */
async function connectClient(scheduler: number) {
  const offstage = await Offstage.connect({ scheduler: cluster.target(scheduler) })
  const store = createValuesStore()
  let runs = 0
  const counted = reusable((key: string) => ({ key, run: ++runs }), {
    name: 'counted',
    store,
    tags: ({ key }) => ['keys', `key:${key}`],
  })
  await offstage.connectValues({ store }).ready
  return {
    offstage,
    store,
    counted,
    async [Symbol.asyncDispose]() {
      store.close()
      await offstage.close()
    },
  }
}

/** What every thread and every client remembers of a key, by where that is. */
async function look(key: string): Promise<Record<string, number>> {
  const seen: Record<string, number> = {
    one: one.counted(key).run,
    other: other.counted(key).run,
  }
  // Each scheduler gives them to the executor that is attached to it.
  const looks = [one, other].flatMap(({ offstage }) =>
    [lookInline, lookTask, lookProcess].map((job) => offstage.run(job, { key })),
  )
  for (const { process, thread, run } of await Promise.all(looks))
    seen[`${process}/${thread}`] = run
  return seen
}

/** Until both threads and the process of both executors, and both clients, were seen. */
async function lookEverywhere(key: string): Promise<Record<string, number>> {
  const seen: Record<string, number> = {}
  await until(
    async () => {
      Object.assign(seen, await look(key))
      return Object.keys(seen).length === 8
    },
    { what: 'the threads and processes of both executors to be seen', timeoutMs: 60_000 },
  )
  return seen
}

/** All of them compute anew after a refresh; the newest run of each is told. */
async function expectDropped(before: Record<string, number>, key: string): Promise<void> {
  const after: Record<string, number> = {}
  await until(
    async () => {
      Object.assign(after, await look(key))
      return Object.keys(before).every((place) => (after[place] ?? 0) > (before[place] ?? 0))
    },
    { what: 'every thread and client to compute anew', timeoutMs: 30_000 },
  )
}

test.each<[string, RefreshTarget | undefined]>([
  ['all', undefined],
  ['a function', { function: 'counted' }],
  ['some parameters', { function: 'counted', params: ['a'] }],
  ['a tag', { tag: 'key:a' }],
])('a refresh of %s reaches every thread and every client', LONG, async (_, target) => {
  const before = await lookEverywhere('a')
  await one.offstage.refreshValues(target)
  await expectDropped(before, 'a')
})

test('a refresh of something else drops nothing', LONG, async () => {
  const before = await lookEverywhere('b')
  await one.offstage.refreshValues({ tag: 'key:a' })
  await one.offstage.refreshValues({ function: 'counted', params: ['a'] })
  // What is told later comes later.
  const later = await lookEverywhere('c')
  await one.offstage.refreshValues({ tag: 'key:c' })
  await expectDropped(later, 'c')
  expect(await lookEverywhere('b')).toEqual(before)
})

test(
  'a handler that refreshes is heard by the other threads, processes and clients',
  LONG,
  async () => {
    const before = await lookEverywhere('d')
    await one.offstage.run(change, { tag: 'key:d' })
    await expectDropped(before, 'd')
  },
)

/** A process that has prices of executors, at one scheduler, for a user. */
async function connectPrices(user: string, scheduler = 0, identity = {}) {
  const connect = { scheduler: cluster.target(scheduler), user, ...identity }
  const offstage = await Offstage.connect(connect)
  const store = createValuesStore()
  const price = remoteReusable<typeof exposedPrice>(offstage, 'reusable.price', { store })
  const once = remoteReusable<typeof exposedPrice>(offstage, 'reusable.price', {
    store,
    name: 'priced once',
    singleFlight: true,
  })
  await offstage.refreshPort.reached
  return {
    offstage,
    price,
    once,
    async [Symbol.asyncDispose]() {
      store.close()
      await offstage.close()
    },
  }
}

test(
  'a value that an executor has computed is remembered there and here (row C8)',
  LONG,
  async () => {
    await using ann = await connectPrices('ann')
    await using again = await connectPrices('ann')
    const first = await ann.price('EUR')
    expect(await ann.price('EUR')).toBe(first)
    expect(ann.price.statistics()).toMatchObject({ hits: 1, misses: 1 })
    expect(await again.price('EUR')).toEqual(first)
  },
)

test(
  'a refresh is over on both sides once it has resolved, however others hear of it',
  LONG,
  async () => {
    await using ann = await connectPrices('ann')
    await using far = await connectPrices('ann', 1)
    const [first, there] = [await ann.price('USD'), await far.price('USD')]
    await ann.offstage.refreshValues({ tag: 'price:USD' })
    expect((await ann.price('USD')).run).not.toBe(first.run)
    await until(async () => (await far.price('USD')).run !== there.run)
  },
)

test('calls of several processes at once compute once where that is asked for', LONG, async () => {
  await using ann = await connectPrices('ann')
  await using far = await connectPrices('ann', 1)
  const prices = await Promise.all([ann.once('JPY', 1_000), far.once('JPY', 1_000)])
  expect(prices[0]).toEqual(prices[1])
})

test(
  'a call shares no answer with one of another user, whose jobs its own may see',
  LONG,
  async () => {
    await using ann = await connectPrices('ann')
    // In development mode everybody may.
    await using bob = await connectPrices('bob', 1, callingAs('operator'))
    const prices = await Promise.all([ann.once('ZAR', 1_000), bob.once('ZAR', 1_000)])
    expect(prices[0]?.run).not.toBe(prices[1]?.run)
  },
)

test(
  'users and modes are kept apart, and what a caller says of them is compared',
  LONG,
  async () => {
    await using ann = await connectPrices('ann')
    await using bob = await connectPrices('bob', 0, callingAs('service'))
    const price = await ann.price('CHF')
    expect((await bob.price('CHF')).run).not.toBe(price.run)
    const privileged = await ann.offstage.run(privilegedPrice, {
      params: '["CHF"]',
      privileged: true,
    })
    expect(privileged.value.run).not.toBe(price.run)

    const user = userOfTests('ann')
    const as = (identity: { user?: string; privileged?: boolean }) =>
      runWithValuesIdentity(identity, () => ann.price('CHF'))
    await expect(as({ user: 'bob' })).rejects.toThrow(`user is "bob", and the job is for "${user}"`)
    await expect(as({ privileged: true })).rejects.toThrow('privileged is true, and must be false')
    expect(await as({ user })).toEqual(price)
  },
)

test(
  'where no executor takes a call it is computed here, where that is possible',
  LONG,
  async () => {
    await using ann = await connectPrices('ann')
    const { offstage } = ann
    using store = createValuesStore()
    const here = async (currency: string) => ({ currency, run: 'here' })
    const tier = tierOf(offstage, 'reusable.price', { queueMs: 300 })
    const price = reusable(here, { name: 'price', store, tier })
    const scheduler = cluster.target()
    await using operator = await Offstage.connect({ scheduler, ...callingAs('operator') })
    await operator.pauseMethod('reusable.price')
    expect(await price('SEK')).toEqual({ currency: 'SEK', run: 'here' })
    await operator.resumeMethod('reusable.price')
    expect((await price('NOK')).run).not.toBe('here')
  },
)

test('what fails is not remembered, and what is no call is refused', LONG, async () => {
  await using ann = await connectPrices('ann')
  await expect(ann.price('')).rejects.toThrow('no currency')
  await expect(ann.price('')).rejects.toThrow('no currency')
  expect(ann.price.statistics()).toMatchObject({ entries: 0, misses: 2 })
  const ask = (params: unknown) => ann.offstage.run('reusable.price', params)
  await expect(ask({ params: 'EUR' })).rejects.toThrow(
    'params must be a list of parameters as text',
  )
  await expect(ask({ params: '[]', epoch: -1 })).rejects.toThrow('epoch must be')
  await expect(ask('EUR')).rejects.toThrow('what is asked must be an object')
})

test(
  'without NATS a refresh is found by the sweep, and whoever knows of it need not wait for that',
  LONG,
  async () => {
    await using ann = await connectPrices('ann')
    const ask = async (epoch: number) => {
      const answer = await ann.offstage.run('reusable.price', { params: '["GBP"]', epoch })
      return (answer as { value: { run: string } }).value.run
    }
    const { refreshPort } = other.offstage
    const before = await lookEverywhere('e')
    await cluster.nats.stop()
    // An epoch that there is not keeps nobody from hearing of later ones.
    await ask(Number.MAX_SAFE_INTEGER)
    for (let turn = 0; turn < 3; turn++) {
      const run = await ask(0)
      // Through the port alone: the other clients of this process would tell their scheduler.
      await refreshPort.publish({ origin: '', scope: { kind: 'tag', tag: 'price:GBP' } })
      expect(await ask(refreshPort.knownEpoch)).not.toBe(run)
    }
    await one.offstage.refreshValues({ tag: 'key:e' })
    await expectDropped(before, 'e')
    await cluster.nats.start()
  },
)

test(
  'a scheduler that is killed as it has recorded a refresh loses it for nobody',
  LONG,
  async () => {
    const [first] = cluster.schedulers
    const before = await lookEverywhere('f')
    const refreshed = one.offstage.refreshValues({ tag: 'key:f' })
    await refreshed
    await first?.process.kill()
    await expectDropped(before, 'f')
    await first?.restart()
  },
)
