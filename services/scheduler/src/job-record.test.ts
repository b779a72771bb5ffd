/** The record of a job is whole (row J23): its root, and every attempt with who ran it and how it ended. */
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const { JOB_STATE_FAILED, JOB_STATE_QUEUED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED } =
  proto.JobState
const credits = [{ lane: 1, slots: 1 } as const]
const failed = (brief: string) => ({
  $case: 'failed' as const,
  value: { brief, reason: 'Error', retryable: true },
})
const soon = { initialBackoff: { seconds: 0n, nanos: 1e6 }, jitter: 0 }

test('every attempt is told with its executor, times, outcome and error, the lost and the retried too', async () => {
  await using it = await start()
  // One slot: no claim is under way for another as it leaves.
  await using first = await attachExecutor(it.address, { slots: 1, hello: { name: 'first' } })
  const spec = { method: 'test.job', retryPolicy: { maxAttempts: 3, ...soon } }
  const { jobId } = await it.jobs.start(spec)
  const running = (await it.jobs.get(jobId)).attempts
  expect(running).toMatchObject([
    { attempt: 1, executorName: 'first', lane: 1, outcome: JOB_STATE_RUNNING, errorBrief: '' },
  ])
  await first.assigned(1)
  first.say({ results: [{ jobId, attempt: 1, outcome: failed('no luck') }], credits })
  await first.assigned(2)
  await using second = await attachExecutor(it.address, { hello: { name: 'second' } })
  first.say({ draining: true, handedBack: [{ jobId, attempt: 2 }] })
  const [third] = await second.assigned(1)
  if (third === undefined) throw new Error('nothing was assigned')
  second.succeed(third)
  await it.jobs.wait([jobId])
  const job = await it.jobs.get(jobId)
  expect(job.attempts).toMatchObject([
    { attempt: 1, executorName: 'first', outcome: JOB_STATE_FAILED, errorBrief: 'no luck' },
    { attempt: 2, executorName: 'first', outcome: JOB_STATE_QUEUED, errorBrief: '' },
    { attempt: 3, executorName: 'second', outcome: JOB_STATE_SUCCEEDED, errorBrief: '' },
  ])
  expect(job.attempts[0]?.executorSessionId).toBe(first.sessionId)
  expect(job.attempts[2]?.executorSessionId).toBe(second.sessionId)
  for (const attempt of job.attempts) {
    expect(attempt.startTime).toBeInstanceOf(Date)
    expect(attempt.finishTime).toBeInstanceOf(Date)
  }
  // The error of an attempt is not that of a job that succeeded in the end.
  expect(job).toMatchObject({ errorBrief: '', completion: { error: undefined } })
})

test('an attempt whose executor was lost, and one that was ended by force, are told as such', async () => {
  await using it = await start()
  await using lost = await attachExecutor(it.address, { hello: { name: 'lost' } })
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  await lost.assigned(1)
  lost.cut()
  await using next = await attachExecutor(it.address, { hello: { name: 'next' } })
  await next.assigned(1)
  await it.jobs.cancel(jobId, { graceMs: 0 })
  await it.jobs.wait([jobId])
  expect((await it.jobs.get(jobId)).attempts).toMatchObject([
    { attempt: 1, executorName: 'lost', outcome: JOB_STATE_QUEUED },
    { attempt: 2, executorName: 'next', outcome: proto.JobState.JOB_STATE_CANCELED },
  ])
})

test('how an attempt stopped for a cancel is told of the attempt, and is no error of the job', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  await executor.assigned(1)
  await it.jobs.cancel(jobId, { graceMs: 60_000 })
  const outcome = { $case: 'canceled', value: 'ended by force' } as const
  executor.say({ results: [{ jobId, attempt: 1, outcome }] })
  await it.jobs.wait([jobId])
  const job = await it.jobs.get(jobId)
  expect(job.attempts).toMatchObject([{ errorBrief: 'ended by force' }])
  expect(job).toMatchObject({ errorBrief: '', completion: { error: undefined } })
})

test('who ran a job to its success is told though the executor is long forgotten', async () => {
  await using it = await start()
  const executor = await attachExecutor(it.address, { hello: { name: 'gone' } })
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  executor.succeed(...(await executor.assigned(1)))
  await it.jobs.wait([jobId])
  executor.cut()
  const rows = async (text: string) => (await it.database.query({ name: '', text }, [])).rows
  await until(async () => {
    // As if it had been over for as long as it takes to be forgotten.
    await rows('UPDATE offstage.attachments SET end_round = -1000000 WHERE end_round IS NOT NULL')
    return (await rows('SELECT FROM offstage.attachments')).length === 0
  })
  expect((await it.jobs.get(jobId)).attempts).toMatchObject([
    { attempt: 1, executorName: 'gone', executorSessionId: executor.sessionId },
  ])
})

test('the first ancestor of a child of a child is its root, and a job without a parent its own', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const { jobId: root } = await it.jobs.start({ method: 'test.job' })
  const { jobId: child } = await it.jobs.start({ method: 'test.job', parentJobId: root })
  const { jobId: below } = await it.jobs.start({ method: 'test.job', parentJobId: child })
  const roots = await Promise.all([root, child, below].map((id) => it.jobs.get(id)))
  expect(roots.map(({ rootJobId }) => rootJobId)).toEqual([root, root, root])
})
