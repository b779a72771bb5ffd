import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, test, vi } from 'vitest'
import {
  createManualValuesClock,
  createValuesSession,
  createValuesStore,
  type ReusableOptions,
  reusable,
  type ValuesStoreOptions,
} from './mod.ts'

const MINUTE_MS = 60_000

function setup(
  options: ReusableOptions<[unknown?], number> = {},
  storeOptions: ValuesStoreOptions = {},
) {
  const clock = createManualValuesClock()
  const store = createValuesStore({ clock, ...storeOptions })
  let runs = 0
  const f = reusable((_key?: unknown) => ++runs, { name: 'f', ...options, store })
  return {
    f,
    clock,
    store,
    [Symbol.dispose]() {
      store.close()
      expect(clock.intervals).toBe(0)
      expect(store.bytes).toBe(0)
    },
  }
}

describe('age and idleness', () => {
  test('a value in use is dropped 20 minutes after computing', () => {
    using it = setup()
    expect(it.f()).toBe(1)
    for (let minute = 1; minute < 20; minute++) {
      it.clock.advance(MINUTE_MS)
      expect(it.f()).toBe(1)
    }
    it.clock.advance(MINUTE_MS)
    expect(it.f()).toBe(2)
    expect(it.f.statistics()).toMatchObject({ drops: { age: 1, idle: 0 } })
  })

  test('a value not in use is dropped 6 minutes after its last use', () => {
    using it = setup()
    it.f()
    it.clock.advance(5 * MINUTE_MS)
    expect(it.f()).toBe(1)
    it.clock.advance(6 * MINUTE_MS - 1000)
    expect(it.f()).toBe(1)
    it.clock.advance(6 * MINUTE_MS + 1000)
    expect(it.f.statistics()).toMatchObject({ entries: 0, drops: { idle: 1, age: 0 } })
    expect(it.f()).toBe(2)
  })

  test('both limits can be set', () => {
    using it = setup({ maxAgeMs: 3000, idleMs: 2000 })
    it.f()
    it.clock.advance(1000)
    expect(it.f()).toBe(1)
    it.clock.advance(1000)
    expect(it.f()).toBe(1)
    it.clock.advance(1000)
    expect(it.f()).toBe(2)
    it.clock.advance(2999)
    it.clock.advance(1)
    expect(it.f()).toBe(3)
    expect(it.f.statistics()).toMatchObject({ drops: { age: 1, idle: 1 } })
  })

  test('a value in use is not called idle because the clock is coarse', () => {
    using it = setup({ idleMs: 500 })
    for (let use = 0; use < 100; use++) {
      expect(it.f()).toBe(1)
      it.clock.advance(100)
    }
  })

  test('the idle limit can be off, and old values still leave without being asked for', () => {
    using it = setup({ idleMs: false })
    it.f()
    it.clock.advance(20 * MINUTE_MS - 1000)
    expect(it.f()).toBe(1)
    it.f('never again')
    it.clock.advance(21 * MINUTE_MS)
    expect(it.f.statistics()).toMatchObject({ entries: 0, drops: { age: 2, idle: 0 } })
  })

  test('idle values leave in order, whichever function or session they belong to', () => {
    using it = setup()
    using session = createValuesSession()
    it.f('old')
    session.run(() => it.f('old'))
    it.clock.advance(5 * MINUTE_MS)
    it.f('young')
    it.f('old')
    it.clock.advance(MINUTE_MS + 1000)
    expect(it.f.statistics()).toMatchObject({ entries: 2, drops: { idle: 1 } })
  })

  test('an idle value is found out by whoever asks first, even before the timer', () => {
    using it = setup({ idleMs: 10_000 }, { resolutionMs: 60_000 })
    it.f('a')
    it.clock.advance(10_000)
    it.f('b') // a miss reads the clock
    expect(it.f('a')).toBe(1) // until the resolution has passed too, a use may have been missed
    it.clock.advance(70_000)
    it.f('c')
    expect(it.f('a')).toBe(4)
    expect(it.f.statistics().drops.idle).toBe(1)
  })

  test('one timer serves all entries, and none runs while nothing is held', async () => {
    using it = setup()
    expect(it.clock.intervals).toBe(0)
    for (let i = 0; i < 100; i++) it.f(i)
    expect(it.clock.intervals).toBe(1)
    await it.f.refresh()
    expect(it.clock.intervals).toBe(0)
  })

  test('the first call after a pause of the timer sees the time that has passed', async () => {
    using it = setup({ maxAgeMs: 1000 })
    it.f()
    await it.f.refresh()
    it.clock.advance(10 * MINUTE_MS)
    it.f()
    it.clock.advance(900)
    expect(it.f()).toBe(2)
  })

  test.each(['maxAgeMs', 'idleMs'])('%s must be above 0', (option) => {
    const wrap = () => reusable(() => 1, { name: 'f', [option]: 0, store: createValuesStore() })
    expect(wrap).toThrow(RangeError)
  })
})

describe('the byte budget', () => {
  const text = 'x'.repeat(1000) // estimated at 2016 bytes

  test('the least recently used values leave first, across functions', () => {
    const clock = createManualValuesClock()
    using store = createValuesStore({ clock, bytesMax: 10_000 })
    const a = reusable((_: number) => text, { name: 'a', store })
    const b = reusable((_: number) => text, { name: 'b', store })
    for (const call of [() => a(1), () => b(1), () => a(2), () => b(2)]) {
      call()
      clock.advance(1000)
    }
    a(1) // used again: b(1) is now the oldest
    clock.advance(1000)
    a(3)
    expect(a.statistics()).toMatchObject({ entries: 3, drops: { bytes: 0 } })
    expect(b.statistics()).toMatchObject({ entries: 1, drops: { bytes: 1 } })
    b(2)
    expect(b.statistics()).toMatchObject({ hits: 1 })
    expect(store.bytes).toBeLessThanOrEqual(10_000)
  })

  test('it holds whatever is asked for', () => {
    using it = setup({}, { bytesMax: 20_000 })
    for (let i = 0; i < 1000; i++) {
      it.f(i % 7 === 0 ? { key: 'k'.repeat(i) } : i)
      expect(it.store.bytes).toBeLessThanOrEqual(20_000)
    }
    expect(it.f.statistics().drops.bytes).toBeGreaterThan(900)
  })

  test('a value larger than the budget is not remembered and drops nothing', () => {
    using store = createValuesStore({ bytesMax: 5000, clock: createManualValuesClock() })
    const f = reusable((length: number) => 'x'.repeat(length), { name: 'f', store })
    f(10)
    f(10_000)
    expect(f.statistics()).toMatchObject({ entries: 1, tooLarge: 1, drops: { bytes: 0 } })
  })

  test('bytes are estimated from what a value holds, or as the function says', () => {
    using store = createValuesStore({ clock: createManualValuesClock() })
    const estimated = reusable(
      (_: number) => ({ rows: Array.from({ length: 1000 }, () => 'ab') }),
      {
        name: 'estimated',
        store,
      },
    )
    estimated(1)
    expect(estimated.statistics().bytes).toBeGreaterThan(1000 * (16 + 4))
    const told = reusable(() => 'small', { name: 'told', store, bytesOf: () => 1_000_000 })
    told()
    expect(told.statistics().bytes).toBeGreaterThan(1_000_000)
  })

  const MB = 1_000_000
  test.each<[string, ReusableOptions<[number], unknown>, (i: number) => unknown, number]>([
    ['arrays with holes', {}, () => new Array(10_000), 8 * MB],
    ['large integers', {}, (i) => 2n ** 800_000n + BigInt(i), 10 * MB],
    ['tags', { tags: (_, i) => [`${i}`.padEnd(10_000, 'x')] }, (i) => i, 2 * MB],
    ['names of a table', {}, tableOf, 5 * MB],
    [
      'a subclass of Map',
      { freeze: 'none' },
      () =>
        new (class extends Map<number, number> {})(Array.from({ length: 3000 }, (_, i) => [i, i])),
      10 * MB,
    ],
  ])('%s are counted', (_, options, make, atLeast) => {
    using store = createValuesStore({ clock: createManualValuesClock(), bytesMax: 100 * MB })
    const f = reusable(make, { name: 'f', ...options, store })
    for (let i = 0; i < 100; i++) f(i)
    expect(f.statistics()).toMatchObject({ entries: 100 })
    expect(store.bytes).toBeGreaterThan(atLeast)
  })

  function tableOf(i: number) {
    return Object.fromEntries(Array.from({ length: 1000 }, (_, k) => [`name ${i} ${k}`, k]))
  }

  test('levels of the lookup that parameters with a long common beginning need are counted', () => {
    using store = createValuesStore({ clock: createManualValuesClock() })
    const f = reusable((_: object) => 1, { name: 'f', store })
    const structure = (last: number) => ({
      ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`a${i}`, i])),
      z: last,
    })
    f(structure(1))
    const before = store.bytes
    f(structure(2))
    expect(store.bytes - before).toBeGreaterThan(50 * 200)
  })

  test.each([10.5, NaN, -1, Infinity])('bytesOf must not return %s', (bytes) => {
    using it = setup({ bytesOf: () => bytes })
    for (let i = 0; i < 2; i++) {
      expect(() => it.f()).toThrow(`f: bytesOf returned ${bytes}`)
      it.clock.advance(30 * MINUTE_MS)
    }
    expect(it.f.statistics()).toMatchObject({ entries: 0, bytes: 0, failures: 2 })
  })

  test.each([[{ length: 1 }], ['text'], [[1]], [null]])('tags must not return %j', (tags) => {
    using it = setup({ tags: () => tags as unknown as string[] })
    for (let i = 0; i < 2; i++) expect(() => it.f()).toThrow('f: tags must return')
    expect(it.f.statistics()).toMatchObject({ entries: 0, bytes: 0, failures: 2 })
  })

  test('a budget that is none is refused', () => {
    expect(() => createValuesStore({ bytesMax: 0 })).toThrow(RangeError)
  })
})

test('above the heap threshold a quarter leaves each turn, the least recently used first', () => {
  let heapRatio = 0.5
  using it = setup({}, { heapRatio: () => heapRatio })
  for (let i = 0; i < 100; i++) it.f(i)
  it.clock.advance(1000)
  it.f(0)
  expect(it.f.statistics().entries).toBe(100)
  heapRatio = 0.9
  it.clock.advance(1000)
  expect(it.f.statistics()).toMatchObject({ entries: 75, drops: { heap: 25 } })
  heapRatio = 0.8
  it.clock.advance(1000)
  expect(it.f.statistics()).toMatchObject({ entries: 75 })
  it.f(0)
  expect(it.f.statistics()).toMatchObject({ hits: 2, misses: 100 })
})

describe('names', () => {
  test('a name belongs to one function of a store until it is disposed of', () => {
    using it = setup()
    const wrapAgain = () => reusable(() => 1, { name: 'f', store: it.store })
    expect(wrapAgain).toThrow('named f exists already')
    it.f()
    it.f[Symbol.dispose]()
    expect(it.store.bytes).toBe(0)
    expect(wrapAgain()()).toBe(1)
    expect([it.f(), it.f()]).toEqual([2, 3])
  })

  test('the name is the function’s own by default, and an anonymous one needs one', () => {
    using store = createValuesStore()
    expect(
      reusable(
        function rates() {
          return 1
        },
        { store },
      ).reusableName,
    ).toBe('rates')
    expect(() => reusable(() => 1, { store })).toThrow('needs a name')
  })
})

test('functions of a closed store run on and remember nothing', () => {
  using it = setup()
  it.f()
  it.store.close()
  expect([it.f(), it.f()]).toEqual([2, 3])
})

test('the timer is nobody’s: it does not run in the context of the call that started it', async () => {
  const requests = new AsyncLocalStorage<string>()
  const seen: (string | undefined)[] = []
  const heapRatio = () => {
    seen.push(requests.getStore())
    return 0
  }
  using store = createValuesStore({ heapRatio, resolutionMs: 1 })
  const f = reusable(() => 1, { name: 'f', store })
  requests.run('request 1', () => f())
  await vi.waitUntil(() => seen.length > 0)
  expect(seen[0]).toBe(undefined)
})
