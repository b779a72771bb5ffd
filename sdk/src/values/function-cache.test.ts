import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  createManualValuesClock,
  createValuesStore,
  type ReusableOptions,
  reusable,
} from './mod.ts'

function setup(options: ReusableOptions<[], Promise<string>>) {
  const clock = createManualValuesClock()
  const store = createValuesStore({ clock })
  const state = { answer: 'first', runs: 0, isFailing: false }
  const f = reusable(
    async () => {
      state.runs++
      if (state.isFailing) throw new Error('no luck')
      return state.answer
    },
    { name: 'f', maxAgeMs: 10_000, ...options, store },
  )
  return { f, clock, store, state, [Symbol.dispose]: () => store.close() }
}

describe('stale while revalidate', () => {
  test('the old value comes at once while one computation runs behind', async () => {
    using it = setup({ staleWhileRevalidateMs: 10_000 })
    await it.f()
    it.state.answer = 'second'
    it.clock.advance(10_000)
    expect(await Promise.all([it.f(), it.f()])).toEqual(['first', 'first'])
    expect(it.state.runs).toBe(2)
    await nextTurn()
    expect(await it.f()).toBe('second')
    const counted = { misses: 1, revalidations: 1, hits: 3, staleHits: 2, entries: 1 }
    expect(it.f.statistics()).toMatchObject(counted)
  })

  test('after its time callers wait for the new value', async () => {
    using it = setup({ staleWhileRevalidateMs: 10_000 })
    await it.f()
    it.state.answer = 'second'
    it.clock.advance(20_000)
    expect(await it.f()).toBe('second')
  })

  test('a failure behind leaves the old value and the next call tries again', async () => {
    using it = setup({ staleWhileRevalidateMs: 10_000 })
    await it.f()
    it.clock.advance(10_000)
    it.state.isFailing = true
    expect(await it.f()).toBe('first')
    await nextTurn()
    expect(await it.f()).toBe('first')
    expect(it.state.runs).toBe(3)
  })

  test('whoever joins it after its time gets its error, not the old value', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const clock = createManualValuesClock()
    using store = createValuesStore({ clock })
    let runs = 0
    const f = reusable(
      async () => {
        if (++runs === 1) return 'old'
        await gate
        throw new Error('no luck')
      },
      { name: 'f', maxAgeMs: 10_000, staleWhileRevalidateMs: 10_000, store },
    )
    await f()
    clock.advance(15_000)
    expect(await f()).toBe('old')
    clock.advance(5000)
    const late = f()
    open()
    await expect(late).rejects.toThrow('no luck')
    expect(f.statistics()).toMatchObject({ misses: 1, revalidations: 1, hits: 1, joins: 1 })
  })

  test('a refresh while it runs behind drops both values', async () => {
    using it = setup({ staleWhileRevalidateMs: 10_000 })
    await it.f()
    it.clock.advance(10_000)
    it.state.answer = 'outdated'
    await it.f()
    await it.f.refresh()
    it.state.answer = 'third'
    await nextTurn()
    expect(await it.f()).toBe('third')
  })

  test('a synchronous function simply computes', () => {
    const clock = createManualValuesClock()
    using store = createValuesStore({ clock })
    let runs = 0
    const f = reusable(() => ++runs, {
      name: 'f',
      maxAgeMs: 1000,
      staleWhileRevalidateMs: 5000,
      store,
    })
    f()
    clock.advance(1000)
    expect(f()).toBe(2)
  })
})

describe('stale if error', () => {
  test('a failing computation is answered with the old value, for its time only', async () => {
    using it = setup({ staleIfErrorMs: 10_000 })
    await it.f()
    it.state.isFailing = true
    it.clock.advance(10_000)
    expect(await Promise.all([it.f(), it.f()])).toEqual(['first', 'first'])
    expect(it.state.runs).toBe(2)
    it.clock.advance(10_000)
    await expect(it.f()).rejects.toThrow('no luck')
    const counted = { misses: 3, joins: 1, hits: 0, fallbacks: 1, failures: 2, entries: 0 }
    expect(it.f.statistics()).toMatchObject(counted)
  })

  test('its time is over when the failure comes later', async () => {
    const { promise: failing, reject: fail } = Promise.withResolvers<string>()
    const clock = createManualValuesClock()
    using store = createValuesStore({ clock })
    let runs = 0
    const f = reusable(async () => (++runs === 1 ? 'old' : failing), {
      name: 'f',
      maxAgeMs: 10_000,
      staleIfErrorMs: 10_000,
      store,
    })
    await f()
    clock.advance(19_000)
    const late = f()
    clock.advance(1000)
    fail(new Error('no luck'))
    await expect(late).rejects.toThrow('no luck')
  })

  test('a computation that works replaces it', async () => {
    using it = setup({ staleIfErrorMs: 10_000 })
    await it.f()
    it.state.answer = 'second'
    it.clock.advance(10_000)
    expect(await it.f()).toBe('second')
    expect(await it.f()).toBe('second')
    expect(it.state.runs).toBe(2)
  })

  test('a refresh leaves nothing to fall back to', async () => {
    using it = setup({ staleIfErrorMs: 10_000 })
    await it.f()
    it.state.isFailing = true
    it.clock.advance(10_000)
    const failing = it.f()
    await it.f.refresh()
    await expect(failing).rejects.toThrow('no luck')
  })

  test('it holds for synchronous functions', () => {
    const clock = createManualValuesClock()
    using store = createValuesStore({ clock })
    let isFailing = false
    const f = reusable(
      () => {
        if (isFailing) throw new Error('no luck')
        return { of: 'first' }
      },
      { name: 'f', maxAgeMs: 1000, staleIfErrorMs: 5000, store },
    )
    const first = f()
    isFailing = true
    clock.advance(1000)
    expect(f()).toBe(first)
    clock.advance(5000)
    expect(() => f()).toThrow('no luck')
  })

  test('copied values fall back to copies', async () => {
    const clock = createManualValuesClock()
    using store = createValuesStore({ clock })
    let isFailing = false
    const f = reusable(
      async () => {
        if (isFailing) throw new Error('no luck')
        return new Map([['a', 1]])
      },
      { name: 'f', maxAgeMs: 1000, staleIfErrorMs: 5000, unfreezable: 'copy', store },
    )
    await f()
    isFailing = true
    clock.advance(1000)
    const [one, two] = await Promise.all([f(), f()])
    expect(one).toEqual(new Map([['a', 1]]))
    expect(two).toEqual(one)
    expect(two).not.toBe(one)
  })
})

test('idleness ends a value even in its stale time', async () => {
  using it = setup({ staleWhileRevalidateMs: 60_000, idleMs: 15_000 })
  await it.f()
  it.state.answer = 'second'
  it.clock.advance(16_000)
  expect(await it.f()).toBe('second')
})

test('a function that calls itself with other parameters remembers every step', () => {
  using store = createValuesStore()
  const fibonacci = reusable(
    (n: number): number => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)),
    { name: 'fibonacci', store },
  )
  expect(fibonacci(70)).toBe(190392490709135)
  expect(fibonacci.statistics()).toMatchObject({ misses: 71 })
})

test('a thenable that is no promise counts as asynchronous', async () => {
  using store = createValuesStore()
  let runs = 0
  // biome-ignore lint/suspicious/noThenProperty: a query builder that runs when awaited is what this is about
  const query = () => ({ then: (done: (value: number) => void) => done(++runs) })
  const f = reusable(query, { name: 'f', store })
  expect([await f(), await f()]).toEqual([1, 1])
})
