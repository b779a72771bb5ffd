/** Whoever waits for the place of a job that ends is looked for, and nobody is where nobody waits (limited-claims.ts). */
import { expect, test } from 'vitest'
import type { LimitedClaim } from '../domain/held-job.ts'
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
    claim: () => limited.claim('default', 'test.job', [], []),
    end: () => limited.isAwaited('default', 'test.job'),
    answer(queued: boolean) {
      const taken = { jobs: [], unreadable: [] }
      answer.resolve({ taken, busy: false, queued, againMs: undefined })
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
