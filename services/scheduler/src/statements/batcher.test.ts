import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBatcher } from './batcher.ts'

const overflow = () => new Error('full')

test('what arrives while a statement is in flight shares the next one', async () => {
  const batches: number[][] = []
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const batcher = createBatcher<number, number>({
    maxItems: 100,
    maxQueued: 1_000,
    overflow,
    async run(items) {
      batches.push([...items])
      if (batches.length === 1) await gate
      return items
    },
  })
  const first = batcher.add([1])
  await new Promise(setImmediate)
  const rest = [batcher.add([2, 3]), batcher.add([4])]
  release()
  expect(await Promise.all([first, ...rest])).toEqual([[1], [2, 3], [4]])
  expect(batches).toEqual([[1], [2, 3, 4]])
})

test('a full queue refuses the group at once and keeps nothing of it', async () => {
  const seen: number[] = []
  const batcher = createBatcher<number, number>({
    maxItems: 1,
    maxQueued: 2,
    overflow,
    async run(items) {
      seen.push(...items)
      return items
    },
  })
  const kept = [batcher.add([1]), batcher.add([2])]
  await expect(batcher.add([3])).rejects.toThrow('full')
  await Promise.all(kept)
  expect(seen).toEqual([1, 2])
})

test('a bad group fails alone', async () => {
  const batcher = createBatcher<number, number>({
    maxItems: 10,
    maxQueued: 10,
    overflow,
    isDataError: () => true,
    async run(items) {
      if (items.includes(13)) throw new Error('unlucky')
      return items
    },
  })
  const outcomes = await Promise.allSettled([batcher.add([1]), batcher.add([13]), batcher.add([2])])
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

test('every group gets its own outcomes, whatever the sizes and failures', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 7 }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 3 }),
      async (groups, maxItems, concurrency) => {
        let inFlight = 0
        const batcher = createBatcher<number, number>({
          maxItems,
          maxQueued: 1_000,
          concurrency,
          overflow,
          async run(items) {
            inFlight++
            expect(inFlight).toBeLessThanOrEqual(concurrency)
            await new Promise(setImmediate)
            inFlight--
            return items.map((item) => item + 1)
          },
        })
        const outcomes = await Promise.all(groups.map((group) => batcher.add(group)))
        expect(outcomes).toEqual(groups.map((group) => group.map((item) => item + 1)))
        expect(batcher.size).toBe(0)
      },
    ),
  )
})

/** A batcher that runs one statement at a time, each when it is let, and tells what was in them. */
function heldBatcher(maxItems: number, maxQueued: number) {
  const batches: string[][] = []
  const held: (() => void)[] = []
  const batcher = createBatcher<string, string>({
    maxItems,
    maxQueued,
    overflow,
    async run(items) {
      batches.push([...items])
      await new Promise<void>((resolve) => held.push(resolve))
      return items
    },
  })
  const next = async () => {
    held.shift()?.()
    await new Promise(setImmediate)
    await new Promise(setImmediate)
  }
  return { batcher, batches, next }
}

test('callers take turns: who has one thing to do waits for one statement of a caller with very many', async () => {
  const { batcher, batches, next } = heldBatcher(2, 100)
  const flood = ['m1', 'm2', 'm3', 'm4'].map((name) => batcher.add([name, name], 'mallory'))
  await new Promise(setImmediate)
  const one = batcher.add(['a1'], 'ann')
  await next()
  await next()
  await next()
  expect(await one).toEqual(['a1'])
  expect(batches[0]).toEqual(['m1', 'm1'])
  expect(batches.slice(1, 3).flat()).toContain('a1')
  await next()
  await next()
  await Promise.all(flood)
  expect(batches.flat().filter((name) => name !== 'a1')).toEqual(
    ['m1', 'm2', 'm3', 'm4'].flatMap((name) => [name, name]),
  )
})

test('a caller who has filled the queue is refused more, and another is not', async () => {
  const { batcher, next } = heldBatcher(1, 4)
  const add = (i: number) => batcher.add([`m${i}`], 'mallory')
  const flood = [add(0)]
  await new Promise(setImmediate)
  flood.push(...[1, 2, 3, 4].map(add))
  await expect(batcher.add(['m5'], 'mallory')).rejects.toThrow('full')
  const others = [batcher.add(['a1'], 'ann'), batcher.add(['a2'], 'ann')]
  await expect(batcher.add(['a3'], 'ann')).rejects.toThrow('full')
  for (let i = 0; i < 8; i++) await next()
  await Promise.all([...flood, ...others])
})
