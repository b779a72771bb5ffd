/** Whoever waits for the place of a job that ends is looked for, and nobody is where nobody waits (limited-claims.ts). */
import { expect, test } from 'vitest'
import type { LimitedClaim } from '../domain/held-job.ts'
import { Lane } from '../domain/lane.ts'
import { LimitedClaims } from './limited-claims.ts'

function setup() {
  const told: string[] = []
  const known = { any: false, serves: true }
  let answer = Promise.withResolvers<LimitedClaim>()
  const limited = new LimitedClaims({
    store: { claimLimited: () => answer.promise },
    backlog: {
      add: () => void told.push('add'),
      announce: () => void told.push('announce'),
      hasAny: () => known.any,
    },
    serves: () => known.serves,
  })
  return {
    limited,
    told,
    known,
    claim: () => limited.claim('default', 'test.job', [], [], false),
    end: () => limited.isAwaited('default', 'test.job'),
    answer(queued: boolean, isFull = false) {
      const taken = { jobs: [], unreadable: [] }
      answer.resolve({ taken, busy: false, queued, againMs: undefined, isFull })
      answer = Promise.withResolvers()
    },
  }
}

test('an end is of interest while the last claim left jobs in the queue', async () => {
  const it = setup()
  for (const queued of [true, false]) {
    const claim = it.claim()
    it.answer(queued)
    await claim
    expect(it.end()).toBe(queued)
  }
})

test('what ended while a claim was under way is told after it, where it left jobs in the queue', async () => {
  const it = setup()
  for (const queued of [false, true]) {
    const claim = it.claim()
    expect(it.end()).toBe(false)
    it.answer(queued)
    await claim
    expect(it.told).toEqual(queued ? ['announce'] : [])
  }
})

test('an end is told where jobs are believed queued, and by who does not claim of the method', () => {
  const it = setup()
  expect(it.end()).toBe(false)
  it.known.any = true
  expect(it.end()).toBe(true)
  it.known.any = false
  it.known.serves = false
  expect(it.end()).toBe(true)
})

test('where as many run as may, nothing is to be had until a place may have become free', async () => {
  const it = setup()
  const { limited } = it
  const hasRoom = () => limited.mayHaveRoom('default', 'test.job')
  const found = async (meanwhile = () => {}) => {
    const claim = it.claim()
    meanwhile()
    it.answer(true, true)
    await claim
    return hasRoom()
  }
  expect(hasRoom()).toBe(true)
  expect(await found()).toBe(false)
  expect(it.end()).toBe(true)
  expect(hasRoom()).toBe(true)
  expect(await found()).toBe(false)
  // By the word of another replica: it has told all others.
  const heard = () => limited.placeFreed('default', 'test.job')
  expect(await found(heard)).toBe(true)
  expect(it.told).toEqual([])
  expect(await found(it.end)).toBe(true)
  expect(it.told).toEqual(['announce'])
  expect(await found()).toBe(false)
  limited.changed('default', 'test.job')
  expect(hasRoom()).toBe(true)
})

test('starts are queued behind those that the last claim has left', async () => {
  const it = setup()
  const isBehind = () => it.limited.hasLeftQueued('default', 'test.job')
  expect(isBehind()).toBe(false)
  for (const queued of [true, false]) {
    const claim = it.claim()
    it.answer(queued)
    await claim
    expect(isBehind()).toBe(queued)
  }
})

test('the values take turns within the queues that are claimed of: what others claim in between passes over none', async () => {
  const queued: Record<string, readonly string[]> = { '': ['z'], p: ['a', 'b', 'c'] }
  const begun: string[] = []
  const limited = new LimitedClaims({
    store: {
      async claimLimited({ queues: [queue], afterKey = '' }) {
        const { pool = '' } = queue ?? {}
        const keys = queued[pool] ?? []
        const lastKey = keys.find((key) => key > afterKey) ?? keys[0] ?? ''
        if (pool === 'p') begun.push(lastKey)
        const taken = { jobs: [], unreadable: [] }
        return { taken, busy: false, queued: true, againMs: undefined, isFull: false, lastKey }
      },
    },
    backlog: { add: () => {}, announce: () => {}, hasAny: () => true },
    serves: () => true,
  })
  for (let turn = 0; turn < 5; turn++) {
    for (const pool of ['p', '']) {
      const queues = [{ method: 'test.job', lane: Lane.inline, pool }]
      await limited.claim('default', 'test.job', queues, [], false)
    }
  }
  expect(begun).toEqual(['a', 'b', 'c', 'a', 'b'])
})
