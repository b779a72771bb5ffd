import { setImmediate as immediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Turns, type TurnsOptions } from './turns.ts'

const full = () => new Error('full')

/** Works that end when they are told to, and the order they began in. */
function works(options: Partial<TurnsOptions> = {}) {
  const turns = new Turns({ atOnce: 1, waitingMax: 100, refuse: full, ...options })
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const take = (name: string, wanted?: { signal: AbortSignal }) =>
    turns.take(name.slice(0, 1), wanted, async () => {
      begun.push(name)
      await new Promise<void>((resolve) => ends.set(name, resolve))
    })
  const end = async (name: string) => {
    ends.get(name)?.()
    await immediate()
  }
  return { turns, begun, take, end }
}

test('a caller with one wish is served after the one that runs, however many another has waiting', async () => {
  const { begun, take, end } = works()
  const all = ['m1', 'm2', 'm3', 'm4', 'a1'].map((name) => take(name))
  await end('m1')
  await end('m2')
  expect(begun).toEqual(['m1', 'm2', 'a1'])
  for (const name of ['a1', 'm3', 'm4']) await end(name)
  await Promise.all(all)
  expect(begun).toEqual(['m1', 'm2', 'a1', 'm3', 'm4'])
})

test('work that need not wait begins within the call', async () => {
  const { begun, take, end } = works()
  const done = take('a1')
  expect(begun).toEqual(['a1'])
  await end('a1')
  await done
})

test('no more run at once than may, in all and of each caller', async () => {
  const { begun, take, end } = works({ atOnce: 3, perCaller: 2 })
  const all = ['m1', 'm2', 'm3', 'a1', 'a2'].map((name) => take(name))
  expect(begun).toEqual(['m1', 'm2', 'a1'])
  await end('a1')
  expect(begun).toEqual(['m1', 'm2', 'a1', 'a2'])
  await end('m1')
  expect(begun).toEqual(['m1', 'm2', 'a1', 'a2', 'm3'])
  for (const name of ['m2', 'a2', 'm3']) await end(name)
  await Promise.all(all)
})

test('who has more waiting than a share is refused, and who has nothing waiting is not', async () => {
  const { turns, take, end } = works({ waitingMax: 2 })
  const all = ['m1', 'm2', 'm3'].map((name) => take(name))
  await expect(take('m4')).rejects.toThrow('full')
  const others = [take('a1')]
  await expect(take('a2')).rejects.toThrow('full')
  expect(turns.waiting).toBe(3)
  for (const name of ['m1', 'm2', 'a1', 'm3']) await end(name)
  await Promise.all([...all, ...others])
})

test('work that is no longer wanted is not done, and its place is free', async () => {
  const { turns, begun, take, end } = works()
  const first = take('m1')
  const given = new AbortController()
  const second = take('m2', given)
  given.abort(new Error('given up'))
  await expect(second).rejects.toThrow('given up')
  expect(turns.waiting).toBe(0)
  await end('m1')
  await first
  expect(begun).toEqual(['m1'])
})

test('work that fails makes room for the next', async () => {
  const turns = new Turns({ atOnce: 1, waitingMax: 1, refuse: full })
  const bad = turns.take('m', undefined, () => Promise.reject(new Error('bad')))
  const good = turns.take('a', undefined, async () => 'done')
  await expect(bad).rejects.toThrow('bad')
  expect(await good).toBe('done')
})
