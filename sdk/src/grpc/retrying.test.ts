import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { OffstageError, type OffstageErrorInit } from './offstage-error.ts'
import { type RetryPolicy, retrying } from './retrying.ts'

function faultOf(init: Partial<OffstageErrorInit> = {}): OffstageError {
  const { UNAVAILABLE: code } = status
  return new OffstageError({ code, reason: 'SHUTTING_DOWN', message: 'later', ...init })
}

/** Waits are noted instead of waited; the dice always show the upper bound. */
function policyOf(policy: RetryPolicy = {}) {
  const waits: number[] = []
  const wait = async (delayMs: number) => void waits.push(delayMs)
  return { waits, policy: { wait, random: () => 1, ...policy } }
}

function failingTimes(times: number, fault: unknown = faultOf()) {
  return async (attempt: number) => {
    if (attempt <= times) throw fault
    return attempt
  }
}

test('work that fails for the moment is repeated until it succeeds', async () => {
  const { policy, waits } = policyOf()
  expect(await retrying(policy, failingTimes(3))).toBe(4)
  expect(waits).toEqual([100, 200, 400])
})

test('the last error is thrown when the tries are used up', async () => {
  const { policy, waits } = policyOf({ attempts: 3 })
  const fault = faultOf()
  await expect(retrying(policy, failingTimes(9, fault))).rejects.toBe(fault)
  expect(waits).toHaveLength(2)
})

test('waits do not grow beyond their bound', async () => {
  const { policy, waits } = policyOf({ attempts: 6, firstDelayMs: 100, maxDelayMs: 300 })
  await expect(retrying(policy, failingTimes(9))).rejects.toThrow('later')
  expect(waits).toEqual([100, 200, 300, 300, 300])
})

test('the jitter is full and comes on top of what the service asks for', async () => {
  const { policy, waits } = policyOf({ random: () => 0 })
  await retrying(policy, failingTimes(1))
  await retrying(policy, failingTimes(1, faultOf({ retryDelayMs: 7_000 })))
  expect(waits).toEqual([0, 7_000])
})

test.each([
  ['a refusal', faultOf({ code: status.NOT_FOUND, reason: 'JOB_NOT_FOUND' })],
  ['a deadline', faultOf({ code: status.DEADLINE_EXCEEDED, reason: 'DEADLINE_EXCEEDED' })],
  ['a foreign error', new Error('bug')],
])('%s is not repeated', async (_name, fault) => {
  const { policy, waits } = policyOf()
  await expect(retrying(policy, failingTimes(1, fault))).rejects.toBe(fault)
  expect(waits).toEqual([])
})

test('a reason this version does not know is repeated when the service says when', () => {
  const init = { code: status.RESOURCE_EXHAUSTED, reason: 'NOVEL' }
  expect(faultOf({ ...init, retryDelayMs: 10 }).retryable).toBe(true)
  expect(faultOf(init).retryable).toBe(false)
})

test('an abort ends the waiting with the reason of the signal', async () => {
  const abort = new AbortController()
  const reason = new Error('the user left')
  const work = async () => {
    queueMicrotask(() => abort.abort(reason))
    throw faultOf({ retryDelayMs: 60_000 })
  }
  await expect(retrying({ signal: abort.signal }, work)).rejects.toBe(reason)
})

test('what is not retryable is repeated only where the caller says so', async () => {
  const fault = faultOf({ code: status.RESOURCE_EXHAUSTED, reason: 'STORAGE_FULL' })
  const { policy } = policyOf()
  await expect(retrying(policy, failingTimes(1, fault))).rejects.toBe(fault)
  const repeatAlso = ({ reason }: OffstageError) => reason === 'STORAGE_FULL'
  expect(await retrying({ ...policy, repeatAlso }, failingTimes(2, fault))).toBe(3)
})

const limited = faultOf({
  code: status.RESOURCE_EXHAUSTED,
  reason: 'RATE_LIMITED',
  retryDelayMs: 1_000,
})

test('a limit slows work and costs none of its tries', async () => {
  const { policy, waits } = policyOf({ attempts: 2 })
  expect(await retrying(policy, failingTimes(20, limited))).toBe(21)
  expect(waits).toEqual(new Array(20).fill(1_100))
})

test('a limit that lasts for two minutes fails the work', async () => {
  const { policy, waits } = policyOf({ attempts: 2 })
  await expect(retrying(policy, failingTimes(1_000, limited))).rejects.toBe(limited)
  const waitedMs = waits.reduce((sum, ms) => sum + ms, 0)
  expect(waitedMs).toBeGreaterThanOrEqual(120_000)
  expect(waitedMs).toBeLessThan(125_000)
})

test('work that may not be repeated is not, though it was limited', async () => {
  const { policy, waits } = policyOf({ attempts: 1 })
  await expect(retrying(policy, failingTimes(1, limited))).rejects.toBe(limited)
  expect(waits).toEqual([])
})
