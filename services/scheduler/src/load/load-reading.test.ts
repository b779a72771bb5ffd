import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Load } from '../domain/load.ts'
import { createLoadReading } from './load-reading.ts'

const EMPTY: Load = { exact: true, queues: [], lanes: [], pools: [], methods: [], executors: [] }

/** A store whose readings end when they are told to. */
function scripted() {
  const begun: PromiseWithResolvers<Load | undefined>[] = []
  const read = () => {
    const reading = Promise.withResolvers<Load | undefined>()
    begun.push(reading)
    return reading.promise
  }
  return { begun, store: { read } }
}

const turns = () => new Promise(setImmediate)

test('however many ask, the database is read once for all of them', async () => {
  const { begun, store } = scripted()
  const reading = createLoadReading({ store, everyMs: 60_000 })
  const asked = [reading.latest(), reading.latest(), reading.next()]
  await turns()
  expect(begun).toHaveLength(1)
  begun[0]?.resolve(EMPTY)
  expect(await Promise.all(asked)).toEqual([EMPTY, EMPTY, EMPTY])
  expect(await reading.latest()).toBe(EMPTY)
  expect(begun).toHaveLength(1)
})

test('who asks for what comes next is told of nothing that was read before', async () => {
  const { begun, store } = scripted()
  const reading = createLoadReading({ store, everyMs: 1 })
  const first = reading.latest()
  await turns()
  const next = reading.next()
  begun[0]?.resolve(EMPTY)
  expect(await first).toBe(EMPTY)
  while (begun.length < 2) await wait(1)
  const later = { ...EMPTY, exact: false }
  begun[1]?.resolve(later)
  expect(await next).toBe(later)
})

test('a reading that took long is followed by a rest of many times its length', async () => {
  let readings = 0
  const store = {
    read: async () => {
      readings += 1
      await wait(40)
      return EMPTY
    },
  }
  const reading = createLoadReading({ store, everyMs: 1 })
  await reading.latest()
  for (let at = 0; at < 10; at += 1) {
    await wait(20)
    await reading.latest()
  }
  expect(readings).toBe(1)
})

test('what is known is told while the database is away, and nothing once it is too old', async () => {
  let isAway = false
  const store = { read: async () => (isAway ? undefined : EMPTY) }
  const reading = createLoadReading({ store, everyMs: 1, toldForMs: 300 })
  expect(reading.known).toBeUndefined()
  expect(reading.ageMs).toBe(Number.POSITIVE_INFINITY)
  await reading.latest()
  isAway = true
  await wait(10)
  expect(await reading.latest()).toBe(EMPTY)
  await expect(reading.next()).rejects.toThrow('counting the jobs took too long')
  while (reading.known !== undefined) await wait(10)
  expect(reading.ageMs).toBeGreaterThan(300)
  await expect(reading.latest()).rejects.toThrow('counting the jobs took too long')
})
