/** Results are recorded before they are acknowledged, and none holds up another (ends.ts). */

import { RETRY_DEFAULTS } from '@offstage/proto/retry-defaults'
import { expect, test } from 'vitest'
import type { AttemptResult } from '../domain/attempt-result.ts'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { AttemptEnd, AttemptKey, AttemptSuccess, ChangedJob } from '../domain/held-job.ts'
import type { Completion } from '../domain/job.ts'
import { JobState } from '../domain/job-state.ts'
import type { EndStore } from '../ports/attempts.ts'
import { attach, changedJob, runningJob } from '../testing/attachment.ts'
import { createEnds } from './ends.ts'

const completion: Completion = {
  state: JobState.succeeded,
  result: undefined,
  additionalResult: undefined,
  error: undefined,
  cancelOutcome: CancelOutcome.unknown,
  finishTime: new Date(0),
}

const succeeded = (jobId: string, attempt = 1): AttemptResult => ({
  jobId,
  attempt,
  outcome: { kind: 'succeeded', result: undefined },
  additionalResult: undefined,
})

const failed = (jobId: string, retryable = false): AttemptResult => ({
  ...succeeded(jobId),
  outcome: { kind: 'failed', error: { brief: 'no', detail: '', reason: 'NO', retryable } },
})

const recordAll = async (items: readonly AttemptSuccess[]) =>
  new Map(items.map(({ jobId }) => [jobId, completion]))
const endAll = async (items: readonly AttemptEnd[]) =>
  items.map(({ jobId, state }) => changedJob(jobId, { state }))

function setup(store: Partial<EndStore> = {}) {
  const told: ChangedJob[] = []
  const errors: unknown[] = []
  const ends = createEnds({
    store: { succeed: recordAll, end: endAll, ...store } as EndStore,
    changed: (jobs) => told.push(...jobs),
    onError: (error) => errors.push(error),
  })
  const it = attach(undefined)
  const run = (...ids: string[]) => ids.forEach((id) => void it.attachment.assign(runningJob(id)))
  run('a', 'b', 'c')
  const sent = async () => {
    await new Promise(setImmediate)
    const ids = (list: readonly { jobId: string }[]) => list.map(({ jobId }) => jobId)
    return {
      acknowledged: it.frames.flatMap(({ acknowledged }) => ids(acknowledged)),
      fenced: it.frames.flatMap(({ fenced }) => ids(fenced)),
    }
  }
  return { ...it, ends, told, errors, sent }
}

test('an attempt that begins before it is known that the one before has ended goes on', async () => {
  const commit = Promise.withResolvers<void>()
  const it = setup({ end: (items) => commit.promise.then(() => endAll(items)) })
  const recorded = it.ends.record(it.attachment, [failed('a', true)])
  // A caller, or another replica, has seen that it ended.
  expect(it.attachment.assign({ ...runningJob('a'), attempt: 2 })).toBe('sent')
  commit.resolve()
  await recorded
  expect((await it.sent()).acknowledged).toEqual(['a'])
  expect(it.attachment.running.get('a')?.attempt).toBe(2)
  expect(it.attachment.ending.size).toBe(0)
})

test('a result is acknowledged after its commit, and not before', async () => {
  const commit = Promise.withResolvers<void>()
  const it = setup({ succeed: (items) => commit.promise.then(() => recordAll(items)) })
  const recorded = it.ends.record(it.attachment, [succeeded('a')])
  await new Promise(setImmediate)
  expect((await it.sent()).acknowledged).toEqual([])
  expect(it.attachment.running.has('a')).toBe(true)
  commit.resolve()
  await recorded
  expect((await it.sent()).acknowledged).toEqual(['a'])
  expect(it.attachment.running.has('a')).toBe(false)
  expect(it.told.map(({ id }) => id)).toEqual(['a'])
})

test('a result that changed nothing is fenced, and nobody is told of it', async () => {
  const it = setup({ succeed: async () => new Map([['b', completion]]), end: async () => [] })
  await it.ends.record(it.attachment, [succeeded('a'), succeeded('b')])
  expect(await it.sent()).toEqual({ acknowledged: ['b'], fenced: ['a'] })
  expect(it.told.map(({ id }) => id)).toEqual(['b'])
})

test('a success that the hot statement leaves out, as of a parent of attached children, is recorded as any other end', async () => {
  const it = setup({
    succeed: async () => new Map([['b', completion]]),
    end: async (items) => items.map(({ jobId }) => changedJob(jobId, { state: JobState.waiting })),
  })
  await it.ends.record(it.attachment, [succeeded('a'), succeeded('b')])
  expect(await it.sent()).toEqual({ acknowledged: ['b', 'a'], fenced: [] })
  expect(it.told.map(({ id, state }) => [id, state])).toEqual([
    ['b', JobState.succeeded],
    ['a', JobState.waiting],
  ])
})

test('a result of an attempt that is not this one is fenced without a statement', async () => {
  let statements = 0
  const succeed = async (items: readonly AttemptSuccess[]) => {
    statements += 1
    return recordAll(items)
  }
  const it = setup({ succeed })
  await it.ends.record(it.attachment, [succeeded('a', 2), succeeded('nobody')])
  expect(statements).toBe(0)
  expect((await it.sent()).fenced).toEqual(['a', 'nobody'])
})

test('of what is said of an end while it is recorded only the first is recorded and answered', async () => {
  const commit = Promise.withResolvers<void>()
  const seen: string[] = []
  const it = setup({
    async succeed(items) {
      await commit.promise
      seen.push(...items.map(({ jobId, result }) => `${jobId} ${result}`))
      return recordAll(items)
    },
  })
  const word = (text: string): AttemptResult => {
    const result = { inline: Buffer.from(text), type: '' }
    return { ...succeeded('a'), outcome: { kind: 'succeeded', result } }
  }
  const said = [[word('1'), word('2')], [word('3')], [failed('a')]].map((results) =>
    it.ends.record(it.attachment, results),
  )
  commit.resolve()
  await Promise.all(said)
  expect(seen).toEqual(['a 1'])
  expect(await it.sent()).toEqual({ acknowledged: ['a'], fenced: [] })
  await it.ends.record(it.attachment, [word('4')])
  expect((await it.sent()).fenced).toEqual(['a'])
})

test('results of one turn share a statement, whichever executor they come from', async () => {
  const batches: number[] = []
  const succeed = async (items: readonly AttemptSuccess[]) => {
    batches.push(items.length)
    return recordAll(items)
  }
  const it = setup({ succeed })
  const other = attach(undefined)
  other.attachment.assign(runningJob('d'))
  await Promise.all([
    it.ends.record(it.attachment, [succeeded('a'), succeeded('b')]),
    it.ends.record(other.attachment, [succeeded('d')]),
  ])
  expect(batches).toEqual([3])
})

test('of a batch the database refuses, the one at fault fails alone and the rest is recorded', async () => {
  const refuse = (items: readonly AttemptKey[]) => {
    if (items.some(({ jobId }) => jobId === 'b')) {
      throw Object.assign(new Error('invalid byte sequence'), { code: '22021' })
    }
  }
  const it = setup({
    async succeed(items) {
      refuse(items)
      return recordAll(items)
    },
  })
  await it.ends.record(
    it.attachment,
    ['a', 'b', 'c'].map((id) => succeeded(id)),
  )
  expect((await it.sent()).acknowledged.sort()).toEqual(['a', 'b', 'c'])
  const states = Object.fromEntries(it.told.map(({ id, state }) => [id, state]))
  expect(states).toEqual({ a: JobState.succeeded, b: JobState.failed, c: JobState.succeeded })
})

test('a result whose answer is lost is written again until it is recorded', async () => {
  let tries = 0
  const it = setup({
    async succeed(items) {
      tries += 1
      if (tries === 1) throw new Error('Connection terminated unexpectedly')
      return recordAll(items)
    },
  })
  await it.ends.record(it.attachment, [succeeded('a')])
  expect(tries).toBe(2)
  expect((await it.sent()).acknowledged).toEqual(['a'])
})

test('once its executor is gone, a result that cannot be written is left for its next stream', async () => {
  const it = setup({
    async succeed() {
      it.attachment.detach()
      throw new Error('Connection terminated unexpectedly')
    },
  })
  await it.ends.record(it.attachment, [succeeded('a')])
  expect(it.attachment.running.has('a')).toBe(true)
  expect(it.told).toEqual([])
})

test('a failure is tried again only where it says so, and the job allows it', async () => {
  const ended: AttemptEnd[] = []
  const it = setup({
    end: (items) => {
      ended.push(...items)
      return endAll(items)
    },
  })
  const retry = { ...RETRY_DEFAULTS, maxAttempts: 2 }
  for (const id of ['d', 'e']) it.attachment.assign(runningJob(id, { options: { retry } }))
  it.attachment.assign(runningJob('f', { failures: 1, options: { retry } }))
  await it.ends.record(it.attachment, [failed('d'), failed('e', true), failed('f', true)])
  expect(ended.map(({ jobId, state }) => [jobId, state])).toEqual([
    ['d', JobState.failed],
    ['e', JobState.scheduled],
    ['f', JobState.failed],
  ])
})

test('attempts go back into the queue however long the database takes', async () => {
  let tries = 0
  const it = setup({
    async requeue(attempts) {
      tries += 1
      if (tries < 3) throw new Error('Connection terminated unexpectedly')
      return attempts.map(({ jobId }) => changedJob(jobId, { state: JobState.queued }))
    },
  })
  await it.ends.requeue([{ jobId: 'a', attachmentId: it.attachment.id, attempt: 1 }])
  expect(tries).toBe(3)
  expect(it.told.map(({ id }) => id)).toEqual(['a'])
})
