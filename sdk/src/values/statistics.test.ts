import { describe, expect, test } from 'vitest'
import { createManualValuesClock, createValuesStore, reusable } from './mod.ts'
import { Counters, type Totals, verdictOf } from './statistics.ts'

describe('the verdict', () => {
  const of = (totals: Partial<Totals>) => verdictOf(Object.assign(new Counters(), totals))

  test.each<[string, Partial<Totals>]>([
    ['too-early', { hits: 50, misses: 49 }],
    ['pays', { hits: 90, misses: 10, computeMs: 100, lookupMs: 0.001 }],
    ['pays', { joins: 90, misses: 10, computeMs: 100, lookupMs: 0.001 }],
    ['never-reused', { misses: 100, computeMs: 100 }],
    ['too-diverse', { hits: 10, misses: 100, computeMs: 100 }],
    ['computing-cheaper', { hits: 90, misses: 10, computeMs: 0.001, lookupMs: 0.001 }],
    ['mostly-uncacheable', { hits: 10, misses: 10, uncacheable: 80 }],
    ['mostly-uncacheable', { hits: 10, misses: 30, outsideScope: 60 }],
    ['mostly-uncacheable', { misses: 100, voids: 40, refused: 11 }],
    ['pays', { hits: 90, misses: 20, failures: 10, computeMs: 10, lookupMs: 0.5 }],
  ])('is %s for %j', (verdict, totals) => {
    expect(of(totals)).toBe(verdict)
  })
})

test('statistics tell hits, misses, age, memory and the time saved', () => {
  const clock = createManualValuesClock()
  using store = createValuesStore({ clock })
  const slow = reusable(
    (key: string) => {
      clock.advance(40)
      return key
    },
    { name: 'slow', store },
  )
  slow('a')
  slow('b')
  for (let i = 0; i < 198; i++) slow('a')
  clock.advance(10_000)
  expect(slow.statistics()).toMatchObject({
    name: 'slow',
    misses: 2,
    hits: 198,
    remembered: 2,
    entries: 2,
    computeMs: 80,
    savedMs: 198 * 40,
    verdict: 'pays',
  })
  const { ageMsMean, bytes } = slow.statistics()
  expect(ageMsMean).toBeGreaterThanOrEqual(10_000)
  expect(ageMsMean).toBeLessThan(10_200)
  expect(bytes).toBe(store.bytes)
  expect(store.statistics()).toEqual([slow.statistics()])
})

test('computing that takes less time than looking up is found out', () => {
  let ms = 0
  // every reading of the clock takes a millisecond, and there is more than one to a lookup sample of 16
  const clock = { ...createManualValuesClock(), now: () => ms++ }
  using store = createValuesStore({ clock })
  const cheap = reusable((n: number) => n, { name: 'cheap', store })
  for (let i = 0; i < 200; i++) cheap(i % 20)
  expect(cheap.statistics().lookupMs).toBe(1 / 16)
  expect(cheap.statistics()).toMatchObject({ verdict: 'pays', misses: 20 })
})

test('values dropped without ever being used are counted', async () => {
  using store = createValuesStore({ clock: createManualValuesClock() })
  const f = reusable((n: number) => n, { name: 'f', store })
  f(1)
  f(2)
  f(2)
  await f.refresh()
  expect(f.statistics()).toMatchObject({ remembered: 2, droppedUnused: 1, drops: { refresh: 2 } })
})
