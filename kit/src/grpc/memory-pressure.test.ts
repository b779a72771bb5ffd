import { until } from '@offstage/testkit'
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

test('memory that was let go of, and not given back, is not short: it is made to be given back', () => {
  const grown = { bytes: 0, inUse: 0 }
  const changes: boolean[] = []
  const collect = async () => {
    grown.bytes = grown.inUse
  }
  const pressure = new MemoryPressure(
    () => grown.bytes,
    (isShort) => changes.push(isShort),
    collect,
  )
  grown.bytes = 0.9
  pressure.look()
  pressure.look()
  expect(changes).toEqual([])
  grown.inUse = 0.9
  grown.bytes = 0.9
  pressure.look()
  pressure.look()
  expect(changes).toEqual([true])
})

test('what a process has freed comes off its memory', async () => {
  const megabytes = () => process.memoryUsage().rss / 1024 / 1024
  const held: object[] = []
  for (let n = 0; n < 2_000_000; n++) held.push({ n, text: `${n}` })
  const grown = megabytes()
  held.length = 0
  const pressure = new MemoryPressure(
    () => 0.9,
    () => {},
  )
  pressure.look()
  await until(() => grown - megabytes() > 100, { what: 'memory to be given back' })
})
