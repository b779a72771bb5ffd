import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  createManualValuesClock,
  createValuesStore,
  ReusableCycleError,
  reusable,
  runInCallScope,
  runWithValuesIdentity,
} from './mod.ts'

type Step = (key: string) => Promise<string>

/** Functions that call one another: `calls` says whom each call calls, and when. */
function setup(calls: Readonly<Record<string, (names: Record<string, Step>) => Promise<unknown>>>) {
  const clock = createManualValuesClock()
  const store = createValuesStore({ clock })
  const names: Record<string, Step> = {}
  let runs = 0
  for (const [name, call] of Object.entries(calls)) {
    const step = async (key: string) => {
      runs++
      return `${name} ${key}: ${await call(names)}`
    }
    names[name] = reusable(step, { name, store })
  }
  const call = async (name: string): Promise<string> => (await names[name]?.('a')) ?? ''
  return { call, names, store, runs: () => runs, [Symbol.dispose]: () => store.close() }
}

async function cycleOf(call: Promise<unknown>): Promise<ReusableCycleError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ReusableCycleError)
  return error as ReusableCycleError
}

describe('an asynchronous function that waits for its own call with equal parameters', () => {
  test('fails at once, before it has waited for anything, and names the cycle', async () => {
    using it = setup({ f: ({ f }) => f?.('a') ?? Promise.resolve() })
    const { message, cycle } = await cycleOf(it.call('f'))
    expect(message).toBe('f("a") would wait for itself: f("a") → f("a")')
    expect(cycle).toEqual(['f("a")', 'f("a")'])
    expect(it.runs()).toBe(1)
  })

  test('fails after it has waited for something else', async () => {
    using it = setup({ f: async ({ f }) => nextTurn().then(() => f?.('a')) })
    expect((await cycleOf(it.call('f'))).cycle).toEqual(['f("a")', 'f("a")'])
  })

  test.each(['at once', 'later'])('fails when it does so through others, %s', async (when) => {
    const pause = async () => void (when === 'later' && (await nextTurn()))
    using it = setup({
      f: async ({ g }) => pause().then(() => g?.('b')),
      g: async ({ h }) => pause().then(() => runInCallScope(async () => h?.('c'))),
      h: async ({ f }) => pause().then(() => runWithValuesIdentity({}, async () => f?.('a'))),
    })
    const { cycle } = await cycleOf(it.call('f'))
    expect(cycle).toEqual(['f("a")', 'g("b")', 'h("c")', 'f("a")'])
  })

  test('fails when two that are computed for different callers come to wait for each other', async () => {
    using it = setup({
      f: async ({ g }) => nextTurn().then(() => g?.('a')),
      g: async ({ f }) => nextTurn().then(() => f?.('a')),
    })
    const outcomes = await Promise.allSettled([it.call('f'), it.call('g')])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const reasons = outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason)
    // Whoever came second was refused, and failed the first.
    expect(reasons[0]).toBe(reasons[1])
    expect(reasons[0].cycle).toHaveLength(3)
  })

  test('fails with a signal of its own too, and the next call computes anew', async () => {
    using store = createValuesStore()
    let isRecursive = true
    const f = reusable(
      async (key: string, signal?: AbortSignal): Promise<string> => {
        await nextTurn()
        return isRecursive ? f(key, signal) : key
      },
      { name: 'f', store },
    )
    await cycleOf(f('a', new AbortController().signal))
    isRecursive = false
    expect(await f('a')).toBe('a')
  })
})

test('an asynchronous one hears of the cycle from a promise, before its first run is over too', async () => {
  using store = createValuesStore()
  const heard: unknown[] = []
  const f = reusable(
    async (n: number): Promise<number> => {
      await f(n).catch((error: unknown) => heard.push(error))
      return n
    },
    { name: 'f', store },
  )
  expect(await f(1)).toBe(1)
  expect(heard).toEqual([expect.any(ReusableCycleError)])
})

test('so does a synchronous one, whether or not it has been seen to be one', () => {
  using store = createValuesStore()
  let isRecursive = true
  const f = reusable((n: number): number => (isRecursive ? f(n) + 1 : n), { name: 'f', store })
  const message = 'f(1) would wait for itself: f(1) → f(1)'
  expect(() => f(1)).toThrow(message)
  isRecursive = false
  expect(f(2)).toBe(2)
  isRecursive = true
  expect(() => f(1)).toThrow(message)
})

test('one that calls itself more often than the stack holds ends in an error, and the next works', async () => {
  using store = createValuesStore()
  const options = (name: string) => ({ name, store })
  const sync = reusable((n: number): number => (n > 0 ? sync(n - 1) + 1 : 0), options('sync'))
  const async = reusable(
    async (n: number): Promise<number> => (n > 0 ? (await async(n - 1)) + 1 : 0),
    options('async'),
  )
  for (let round = 0; round < 3; round++) {
    expect(() => sync(20_000 + round)).toThrow(RangeError)
    await expect(async(20_000 + round)).rejects.toThrow(RangeError)
  }
  expect(sync(100)).toBe(100)
  expect(await async(100)).toBe(100)
})

test('a synchronous one in between hides no cycle', async () => {
  using store = createValuesStore()
  const outer = reusable(
    async (key: string): Promise<string> => nextTurn().then(() => between(key).answer),
    { name: 'outer', store },
  )
  let isReady = true
  const between = reusable(
    (key: string): { readonly answer: Promise<string> | string } => ({
      answer: isReady ? 'ready' : outer(key),
    }),
    { name: 'between', store, freeze: 'none' },
  )
  between('seen')
  isReady = false
  expect((await cycleOf(outer('a'))).cycle).toEqual(['outer("a")', 'outer("a")'])
})

describe('what is no cycle', () => {
  test('other parameters, another identity, and one value on two ways', async () => {
    using it = setup({
      top: ({ left, right }) => Promise.all([left?.('x'), right?.('x')]),
      left: async ({ leaf }) => nextTurn().then(() => leaf?.('x')),
      right: async ({ leaf }) => leaf?.('x'),
      leaf: async ({ leaf }) =>
        runWithValuesIdentity({ user: 'ann' }, async () => leaf && nextTurn('end')),
    })
    expect(await it.call('top')).toBe('top a: left x: leaf x: end,right x: leaf x: end')
    expect(it.runs()).toBe(4)
    using store = createValuesStore()
    const down = reusable(
      async (n: number): Promise<number> => (n === 0 ? nextTurn(0) : 1 + (await down(n - 1))),
      { name: 'down', store },
    )
    expect(await down(50)).toBe(50)
    const as = reusable(
      async (who: string): Promise<string> => {
        await nextTurn()
        return who === 'ann' ? who : runWithValuesIdentity({ user: 'ann' }, () => as('ann'))
      },
      { name: 'as', store },
    )
    expect(await as('bob')).toBe('ann')
  })

  test('a call after the computation, from something it has started', async () => {
    using store = createValuesStore()
    const { promise: computed, resolve: tell } = Promise.withResolvers<void>()
    let later: Promise<string> | undefined
    const f = reusable(
      async (key: string): Promise<string> => {
        later ??= computed.then(() => f.refresh()).then(() => f(key))
        return key
      },
      { name: 'f', store },
    )
    await f('a')
    tell()
    expect(await later).toBe('a')
    expect(f.statistics()).toMatchObject({ misses: 2, failures: 0 })
  })

  test('the old value, given to a function that is computing the new one', async () => {
    const clock = createManualValuesClock()
    using store = createValuesStore({ clock })
    let runs = 0
    const sum = reusable(
      async (key: string): Promise<number> => (++runs === 1 ? 1 : 1 + (await sum(key))),
      { name: 'sum', store, maxAgeMs: 1_000, staleWhileRevalidateMs: 60_000 },
    )
    expect(await sum('a')).toBe(1)
    clock.advance(1_000)
    expect(await sum('a')).toBe(1)
    await nextTurn()
    expect(await sum('a')).toBe(2)
    expect(runs).toBe(2)
  })

  test('a value computed behind that waits for the one that was answered with the old', async () => {
    const clock = createManualValuesClock()
    using store = createValuesStore({ clock })
    let g: Step | undefined
    const f = reusable(
      async (key: string): Promise<string> => `f ${await nextTurn().then(() => g?.(key))}`,
      { name: 'f', store, maxAgeMs: 500 },
    )
    let isFirst = true
    g = reusable(
      async (key: string): Promise<string> => {
        if (isFirst) return 'old'
        await nextTurn()
        return `new ${await f(key)}`
      },
      { name: 'g', store, maxAgeMs: 1_000, staleWhileRevalidateMs: 60_000 },
    )
    await g('a')
    isFirst = false
    clock.advance(1_000)
    expect(await f('a')).toBe('f old')
    await nextTurn()
    await nextTurn()
    expect(await g('a')).toBe('new f old')
  })
})
