/** What is told of a heap whose size is given; of real ones: test/leaks. */
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { HeapGrowth } from './heap-growth.ts'

const KIB = 1024
const RUNS = 8

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

/** Windows of eight runs of a name, at whose ends the heap has grown by so much. */
function setUp() {
  let bytes = 0
  const told: [string, number | undefined][] = []
  const heap = new HeapGrowth(
    () => true,
    (...growth) => void told.push(growth),
    () => bytes,
  )
  return {
    heap,
    told,
    async window(growthKib: number, name = 'a', runs = RUNS) {
      bytes += growthKib * KIB
      for (let run = 0; run < runs; run += 1) {
        heap.began(name)
        heap.ended()
      }
      vi.advanceTimersByTime(1_000)
      await setImmediate()
      await setImmediate()
      await setImmediate()
    },
  }
}

test('growth by the least that counts is told once three windows in a row have it, as the median of each run', async () => {
  const { window, told } = setUp()
  await window(0)
  expect(told).toEqual([])
  for (const growth of [128, 800, 400]) await window(growth)
  expect(told).toEqual([
    ['a', undefined],
    ['a', undefined],
    ['a', (400 * KIB) / RUNS],
  ])
})

test('growth by less is told of nothing, however often, and ends a row', async () => {
  const { window, told } = setUp()
  await window(0)
  for (let n = 0; n < 10; n += 1) await window(127)
  for (const growth of [500, 500, 127, 500, 500]) await window(growth)
  expect(told.filter(([, bytes]) => bytes !== undefined)).toEqual([])
  await window(500)
  expect(told.at(-1)).toEqual(['a', (500 * KIB) / RUNS])
  await window(0)
  expect(told.at(-1)).toEqual(['a', undefined])
})

test('a window is of eight runs or more, and of one name alone', async () => {
  const { heap, window, told } = setUp()
  await window(0)
  await window(500, 'a', RUNS - 1)
  expect(told).toEqual([])
  await window(0, 'a', 1)
  expect(told).toHaveLength(1)
  // Another begins while one runs.
  heap.began('a')
  await window(500, 'b')
  heap.ended()
  for (const growth of [500, 500, 500]) await window(growth)
  expect(told.filter(([, bytes]) => bytes !== undefined)).toEqual([])
})
