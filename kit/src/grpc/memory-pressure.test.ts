import { expect, test } from 'vitest'
import { MemoryPressure, memoryInUse } from './memory-pressure.ts'

test('memory is short after two looks over the mark, and until it is well below', () => {
  const told: boolean[] = []
  let part = 0
  const memory = new MemoryPressure(
    () => part,
    (isShort) => told.push(isShort),
  )
  const look = (next: number) => {
    part = next
    memory.look()
    return memory.isShort
  }
  expect([0.5, 0.9, 0.5, 0.9].map(look)).toEqual([false, false, false, false])
  expect([0.9, 0.8, 0.76, 0.74, 0.8].map(look)).toEqual([true, true, true, false, false])
  expect(told).toEqual([true, false])
})

test('what is in use is seen against the limit of the process', () => {
  const rss = process.memoryUsage.rss()
  expect(memoryInUse(rss / 2)()).toBeGreaterThan(1)
  expect(memoryInUse(rss * 1_000)()).toBeLessThan(1)
})
