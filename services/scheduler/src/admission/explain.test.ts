/** Whoever asks why a job waits is told what has to pass first, and who holds it (row J25). */
import { WaitCause } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { connectNamespaces } from '../testing/namespaces.ts'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor, type ScriptOptions } from '../testing/scripted-executor.ts'

const job = { method: 'test.job' }

async function begin(script: ScriptOptions = {}) {
  const it = await start()
  const executor = await attachExecutor(it.address, {
    slots: 1,
    hello: { lanes: [{ lane: 1, slots: script.slots ?? 1 }] },
    ...script,
  })
  const namespaces = connectNamespaces(it.address)
  return {
    ...it,
    executor,
    namespaces,
    async [Symbol.asyncDispose]() {
      await executor[Symbol.asyncDispose]()
      namespaces[Symbol.dispose]()
      await it[Symbol.asyncDispose]()
    },
  }
}

test('a job that runs or has ended is held back by nothing', async () => {
  await using it = await begin()
  const { jobId } = await it.jobs.start(job)
  const cause = WaitCause.WAIT_CAUSE_NONE
  const nothing = { cause, holders: [], ahead: 0 }
  expect(await it.jobs.explain(jobId)).toEqual({ ...nothing, text: 'It runs.' })
  it.executor.succeed(...(await it.executor.assigned(1)))
  await it.jobs.wait([jobId])
  expect(await it.jobs.explain(jobId)).toEqual({ ...nothing, text: 'It has ended.' })
})

test('a job that is not due tells when it will be, and whether it is another attempt', async () => {
  await using it = await begin()
  const later = await it.jobs.start({ ...job, delay: { seconds: 3_600n, nanos: 0 } })
  const { dueTime } = await it.jobs.get(later.jobId)
  expect(await it.jobs.explain(later.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_NOT_DUE,
    text: `Its start time is ${dueTime?.toISOString()}.`,
  })
  const retryPolicy = { maxAttempts: 3, initialBackoff: { seconds: 3_600n, nanos: 0 } }
  const again = await it.jobs.start({ ...job, retryPolicy })
  await it.executor.assigned(1)
  const error = { brief: 'no', detail: '', reason: 'X', retryable: true }
  const outcome = { $case: 'failed' as const, value: error }
  it.executor.say({ results: [{ jobId: again.jobId, attempt: 1, outcome }] })
  await expect
    .poll(() => it.jobs.explain(again.jobId))
    .toMatchObject({
      cause: WaitCause.WAIT_CAUSE_NOT_DUE,
      text: expect.stringContaining('Its last attempt failed'),
    })
})

test('a job behind a key names who holds it, and who takes it before', async () => {
  await using it = await begin()
  const keyed = { ...job, key: 'k', keyConflictPolicy: 3 as const }
  const [holder, second, third] = [
    await it.jobs.start(keyed),
    await it.jobs.start(keyed),
    await it.jobs.start(keyed),
  ]
  expect(await it.jobs.explain(third.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_KEY,
    text: `Its key is held by job ${holder.jobId}.`,
    holders: [holder.jobId, second.jobId],
  })
})

test('a paused job names what is paused, by whom, the namespace before the method', async () => {
  await using it = await begin()
  await it.namespaces.pauseMethod('test.job')
  const { jobId } = await it.jobs.start(job)
  const cause = WaitCause.WAIT_CAUSE_PAUSED
  expect(await it.jobs.explain(jobId)).toMatchObject({
    cause,
    text: expect.stringMatching(/^The method test\.job was paused by dev at 2.*Z\.$/),
    holders: ['test.job'],
  })
  await it.namespaces.pauseNamespace()
  expect(await it.jobs.explain(jobId)).toMatchObject({ cause, holders: ['default'] })
})

test('a queued job is told apart by whether there is an executor, and how many are ahead', async () => {
  await using it = await begin()
  await it.jobs.start(job)
  const low = await it.jobs.start({ ...job, priority: -1 })
  const second = await it.jobs.start(job)
  const third = await it.jobs.start(job)
  const none = { cause: WaitCause.WAIT_CAUSE_NO_SLOT, holders: [it.executor.sessionId] }
  expect(await it.jobs.explain(second.jobId)).toMatchObject({ ...none, ahead: 0 })
  expect(await it.jobs.explain(third.jobId)).toMatchObject({ ...none, ahead: 1 })
  expect(await it.jobs.explain(low.jobId)).toMatchObject({
    ...none,
    ahead: 2,
    text: 'Of 1 slots for test.job in the lane inline none is free for it.',
  })
  it.executor.say({ draining: true })
  await expect
    .poll(() => it.jobs.explain(third.jobId))
    .toMatchObject({
      cause: WaitCause.WAIT_CAUSE_NO_EXECUTOR,
      text: 'No executor that runs test.job is attached to namespace default.',
      holders: [],
    })
})

test('a job for a lane that no executor has is told so', async () => {
  await using it = await begin()
  const { jobId } = await it.jobs.start({ ...job, lane: 3 })
  expect(await it.jobs.explain(jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_NO_SLOT,
    text: 'No executor that runs test.job has the lane work.',
  })
})

test('a parent that waits names its unfinished children', async () => {
  await using it = await begin({ slots: 2 })
  const parent = await it.jobs.start(job)
  const child = await it.jobs.start({ ...job, parentJobId: parent.jobId })
  it.executor.say({ waiting: [{ jobId: parent.jobId, attempt: 1, waiting: true }] })
  await expect
    .poll(() => it.jobs.explain(parent.jobId))
    .toMatchObject({ cause: WaitCause.WAIT_CAUSE_CHILDREN, holders: [child.jobId] })
})

test('what holds a job back is not named where it belongs to somebody else', async () => {
  await using it = await begin({ slots: 2 })
  const QUEUE_BEHIND = { keyConflictPolicy: 3 } as const
  const holder = await it.as('ann').start({ ...job, key: 'k' })
  const behind = await it.as('bob').start({ ...job, key: 'k', ...QUEUE_BEHIND })
  expect(await it.as('bob').explain(behind.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_KEY,
    text: 'Its key is held by a job of somebody else.',
    holders: [],
  })
  expect(await it.as('olga:operator').explain(behind.jobId)).toMatchObject({
    text: `Its key is held by job ${holder.jobId}.`,
    holders: [holder.jobId],
  })
})

test('a foreign job is explained as little as a missing one', async () => {
  await using it = await begin()
  const { jobId } = await it.jobs.start(job)
  await expect(it.as('bob').explain(jobId)).rejects.toThrow(`there is no job ${jobId}`)
})
