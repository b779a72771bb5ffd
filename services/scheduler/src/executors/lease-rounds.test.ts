import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { createLeaseRounds, leaseTerms } from './lease-rounds.ts'

const ROUND_MS = 50

/** The count as the database keeps it; `fails` makes look-ups fail, `ageMs` is what its clock says. */
function counter() {
  const begins: number[] = []
  const state = { round: 1, fails: false, ageMs: 0 }
  const guard = () => {
    if (state.fails) throw new Error('away')
  }
  const store = {
    async readRound() {
      guard()
      return { round: state.round, ageMs: state.ageMs }
    },
    async beginRound(round: number) {
      guard()
      if (round !== state.round) return undefined
      state.round += 1
      begins.push(performance.now())
      return { round: state.round, lost: [] }
    },
  }
  const replica = () =>
    createLeaseRounds({
      store,
      roundMs: ROUND_MS,
      leaseRounds: 7,
      onLost: () => {},
      onError: () => {},
    })
  return { begins, state, replica }
}

test('however many replicas count, each round lasts its time', async () => {
  const { begins, replica } = counter()
  const replicas = [replica(), replica(), replica()]
  for (const one of replicas) await one.start()
  await until(() => begins.length === 8)
  for (const one of replicas) await one.stop()
  for (const [index, at] of begins.slice(1).entries()) {
    expect(at - (begins[index] ?? 0)).toBeGreaterThanOrEqual(ROUND_MS)
  }
})

test('an outage of many rounds counts as one, and a clock that is set counts for nothing', async () => {
  const { begins, state, replica } = counter()
  await using one = replica()
  await one.start()
  await until(() => begins.length === 1)
  state.fails = true
  state.ageMs = 3_600_000
  await new Promise((resolve) => setTimeout(resolve, ROUND_MS * 6))
  state.fails = false
  const back = performance.now()
  await until(() => begins.length === 3)
  expect((begins[2] ?? 0) - back).toBeGreaterThanOrEqual(ROUND_MS)
})

test('replicas that start again and again all count on from when the round began', async () => {
  const { begins, state, replica } = counter()
  state.ageMs = ROUND_MS
  await using one = replica()
  await one.start()
  await until(() => begins.length === 1)
})

test('a lease has room for one round that was lost, and for an executor that speaks every third of it', () => {
  for (const leaseMs of [300, 2_000, 10_000, 60_000]) {
    const { roundMs, leaseRounds } = leaseTerms(leaseMs)
    expect((leaseRounds - 0.5) * roundMs).toBeGreaterThanOrEqual(leaseMs)
    expect((leaseRounds + 1) * roundMs * 1.1).toBeLessThanOrEqual(leaseMs * 1.5)
  }
})
