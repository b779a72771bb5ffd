/** Tiers beside a client that is scripted; over real services: test/refreshed-values.test.ts. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, expect, test } from 'vitest'
import type { Offstage } from '../client/offstage.ts'
import type { RunOptions } from '../client/options.ts'
import type { JobContext } from '../jobs/mod.ts'
import { createValuesStore, reusable, runWithValuesIdentity } from '../values/mod.ts'
import { exposeReusable, remoteReusable, tierOf } from './mod.ts'
import type { ReusableMethod, TierAsk } from './tier-job.ts'

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
