import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { UnaryMethod } from '../grpc/mod.ts'
import { ATTEMPTS_MAX } from './call-terms.ts'
import { Calls } from './calls.ts'
import { createConnection } from './connection.ts'
import { Credential } from './credential.ts'

// No pause between two tries.
beforeEach(() => vi.spyOn(Math, 'random').mockReturnValue(0))
afterEach(() => vi.restoreAllMocks())

function callsOf(signal?: AbortSignal): Calls {
  const connection = createConnection('127.0.0.1:1', '127.0.0.1:1')
  const identity = { namespace: '', scope: '', parentJobId: '', credential: new Credential({}) }
  return new Calls(connection, signal === undefined ? identity : { ...identity, signal })
}

/** A service that is away for so many calls. */
function awayFor(times: number) {
  const told = { calls: 0, at: (_call: number) => {} }
  const method: UnaryMethod<string, string> = (request, _metadata, _options, callback) => {
    told.calls += 1
    told.at(told.calls)
    const error = { code: status.UNAVAILABLE, details: 'away', metadata: new Metadata() }
    const isAway = told.calls <= times
    queueMicrotask(() => (isAway ? callback(error as ServiceError, '') : callback(null, request)))
    return { cancel() {} } as ReturnType<UnaryMethod<string, string>>
  }
  return { told, method }
}

test('a call is given up when the service stays away for the usual number of tries', async () => {
  const { told, method } = awayFor(1_000)
  await expect(callsOf().callScheduler(method, 'a')).rejects.toMatchObject({
    reason: 'SERVICE_UNREACHABLE',
  })
  expect(told.calls).toBe(ATTEMPTS_MAX)
})

test('a call made in a job is repeated for as long as the job may go on', async () => {
  const { told, method } = awayFor(ATTEMPTS_MAX * 5)
  const job = new AbortController()
  expect(await callsOf(job.signal).callScheduler(method, 'a')).toBe('a')
  expect(told.calls).toBe(ATTEMPTS_MAX * 5 + 1)
})

test('a job that is told to stop gives its calls up after the usual number of tries', async () => {
  const { told, method } = awayFor(1_000)
  const job = new AbortController()
  told.at = (call) => call === ATTEMPTS_MAX * 2 && job.abort()
  const call = callsOf(job.signal).callScheduler(method, 'a')
  await expect(call).rejects.toMatchObject({ reason: 'SERVICE_UNREACHABLE' })
  expect(told.calls).toBe(ATTEMPTS_MAX * 2)
})

test('what may not be repeated is not repeated in a job either', async () => {
  const { told, method } = awayFor(1_000)
  const calls = callsOf(new AbortController().signal)
  await expect(calls.callScheduler(method, 'a', { attempts: 1 })).rejects.toThrow()
  expect(told.calls).toBe(1)
})
