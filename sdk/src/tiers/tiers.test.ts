/** Tiers beside a client that is scripted; over real services: test/refreshed-values.test.ts. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, expect, test } from 'vitest'
import type { Offstage } from '../client/offstage.ts'
import type { RunOptions } from '../client/options.ts'
import type { JobContext } from '../jobs/mod.ts'
import {
  createValuesStore,
  ReusableCycleError,
  reusable,
  runWithValuesIdentity,
} from '../values/mod.ts'
import { exposeReusable, remoteReusable, tierOf } from './mod.ts'
import type { ReusableMethod, TierAnswer, TierAsk } from './tier-job.ts'

const store = createValuesStore()
const functions: Disposable[] = []
afterEach(() => {
  for (const each of functions.splice(0)) each[Symbol.dispose]()
})
function disposed<T extends Disposable>(fn: T): T {
  functions.push(fn)
  return fn
}

/** One whose jobs answer as they are told to. */
function clientOf(answer: (ask: TierAsk, options: RunOptions) => unknown): Offstage {
  const client = {
    refreshPort: { knownEpoch: 7 },
    connectValues: () => {},
    run: async (_method: unknown, ask: TierAsk, options: RunOptions) => answer(ask, options),
  }
  return client as unknown as Offstage
}

type Rate = ReusableMethod<[], unknown>
const job = { owner: 'ann' } as JobContext
const whole = { value: { euro: 1 }, ageMs: 0, leftMs: 1_000, tags: [] }

test.each([
  ['the answer of reusable.rate must be an object with a value, not null', null],
  ['the answer of reusable.rate must be an object with a value, not "1.08"', '1.08'],
  ['ageMs of reusable.rate must be milliseconds, 0 or more, not undefined', { value: 1 }],
  ['leftMs of reusable.rate must be milliseconds, 0 or more, not -5', { ...whole, leftMs: -5 }],
  ['ageMs of reusable.rate must be milliseconds, 0 or more, not "1"', { ...whole, ageMs: '1' }],
  ['tags of reusable.rate must be a list of texts, not "a"', { ...whole, tags: 'a' }],
])('an executor that answers what is no answer is told of: %s', async (message, answer) => {
  const client = clientOf(() => answer)
  const rate = disposed(remoteReusable<Rate>(client, 'reusable.rate', { store }))
  await expect(rate()).rejects.toThrow(message)
  const local = async () => 'computed here'
  const tier = tierOf(client, 'reusable.rate')
  const optional = disposed(reusable(local, { name: 'optional', store, tier }))
  expect(await optional()).toBe('computed here')
})

test('a call waits for an executor as long as it may, where it can be computed here for 5 s', async () => {
  const asked: (number | undefined)[] = []
  const client = clientOf((_ask, { deadlines }) => {
    asked.push(deadlines?.queueMs)
    return whole
  })
  const fetch = (tier: ReturnType<typeof tierOf>) =>
    tier.fetch({
      name: 'rate',
      params: '[]',
      user: undefined,
      privileged: false,
      signal: undefined,
    })
  await fetch(tierOf(client, 'reusable.rate'))
  await fetch(tierOf(client, 'reusable.rate', { queueMs: 200 }))
  await disposed(remoteReusable<Rate>(client, 'reusable.rate', { store }))()
  await disposed(
    remoteReusable<Rate>(client, 'reusable.rate', { store, name: 'hasty', queueMs: 9 }),
  )()
  expect(asked).toEqual([5_000, 200, undefined, 9])
  expect(() => tierOf(client, 'reusable.rate', { queueMs: 0 })).toThrow('queueMs')
})

test('a function with the tier that it is exposed as itself computes where it is asked so', async () => {
  let computed = 0
  const jobsApart = AsyncLocalStorage.snapshot()
  const client = clientOf((ask) => jobsApart(() => exposed.run(job, ask)))
  const rate = disposed(
    reusable(async (currency: string) => ({ currency, run: ++computed }), {
      name: 'rate',
      store,
      tier: tierOf(client, 'reusable.rate'),
    }),
  )
  const exposed = exposeReusable(rate)
  // Its own call there is answered by a job that must not wait for that very call.
  const call = runWithValuesIdentity({ user: 'ann' }, () => rate('EUR'))
  expect(await call).toEqual({ currency: 'EUR', run: 1 })
})

/** Executors in this process: each call is a job of its own, with nothing of who asks but what that sends. */
function executors() {
  const jobsApart = AsyncLocalStorage.snapshot()
  const exposed = new Map<string, { run(job: JobContext, ask: TierAsk): unknown }>()
  const asked: TierAsk[] = []
  const client = {
    refreshPort: { knownEpoch: 7 },
    connectValues: () => {},
    async run({ method }: { readonly method: string }, ask: TierAsk) {
      asked.push(structuredClone(ask))
      if (asked.length > 50) throw new Error('it goes on without end')
      return jobsApart(() => exposed.get(method)?.run(job, ask)) as Promise<TierAnswer<unknown>>
    },
  } as unknown as Offstage
  return {
    client,
    asked,
    expose(name: string, fn: (n: number) => Promise<unknown>) {
      const there = disposed(reusable(fn, { name, store: createValuesStore() }))
      exposed.set(`reusable.${name}`, exposeReusable(there))
    },
    remote: (name: string) =>
      disposed(
        remoteReusable<ReusableMethod<[number], number>>(client, `reusable.${name}`, {
          store: createValuesStore(),
        }),
      ),
  }
}
const asAnn = <T>(call: () => T) => runWithValuesIdentity({ user: 'ann' }, call)

test('functions that ask one another in a circle fail with the circle, however many processes it goes through', async () => {
  const { client, asked, expose, remote } = executors()
  const gross = remote('gross')
  const net = remote('net')
  expose('net', async (year) => (await gross(year)) * 0.8)
  expose('gross', async (year) => (await net(year)) / 0.8)
  const call = (name: string) => `reusable.${name}(["number","2026"])`
  const error = await asAnn(() => net(2026)).catch((thrown) => thrown)
  expect(error).toBeInstanceOf(ReusableCycleError)
  expect(error.cycle).toEqual([call('net'), call('gross'), call('net')])
  expect(asked.map(({ waiting }) => waiting)).toEqual([undefined, [call('net')]])
  // So does one whose values could be computed here.
  const tier = tierOf(client, 'reusable.gross')
  const options = { name: 'gross', store: createValuesStore(), tier }
  const optional = disposed(reusable(async (_year: number) => 7, options))
  expose('net', async (year) => optional(year))
  expect(await asAnn(() => gross(1)).catch((thrown) => thrown)).toBeInstanceOf(ReusableCycleError)
})

test('of calls that wait for one another thirty-two go through executors, and the next is refused with the last of them', async () => {
  const { asked, expose, remote } = executors()
  const down = remote('down')
  expose('down', async (n) => (n === 0 ? 0 : down(n - 1)))
  expect(await asAnn(() => down(31))).toBe(0)
  asked.length = 0
  await expect(asAnn(() => down(1_000))).rejects.toThrow(
    'reusable.down(["number","968"]) is not asked: 32 calls wait for one another already, reusable.down(["number","971"]) → ',
  )
  expect(asked).toHaveLength(32)
})

test('what a call says of those that wait for it is checked', async () => {
  const exposed = exposeReusable(
    disposed(reusable(async () => 1, { name: 'checked', store: createValuesStore() })),
  )
  const ask = (waiting: unknown) => exposed.run(job, { params: '[]', waiting } as TierAsk)
  for (const waiting of ['a', [1], ['x'.repeat(1_001)], Array.from({ length: 33 }, () => 'a')]) {
    await expect(ask(waiting)).rejects.toThrow('waiting must be at most 32 texts')
  }
  expect(await ask(['a'])).toMatchObject({ value: 1 })
})
