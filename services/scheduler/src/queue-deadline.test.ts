import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { millis } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const job = { method: 'test.job', deadlines: { queue: millis(200) } }

test('a job that is not assigned within its queue deadline fails, and never runs', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 0 })
  const { jobId } = await it.jobs.start(job)
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]?.completion?.error?.reason).toBe('QUEUE_DEADLINE_EXCEEDED')
  expect(executor.assignments).toHaveLength(0)
})

test('the queue deadline is over once a job has run: a retry waits as long as it must', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const retryPolicy = { maxAttempts: 2, initialBackoff: millis(600), maxBackoff: millis(600) }
  const { jobId } = await it.jobs.start({ ...job, retryPolicy })
  for (const attempt of [1, 2]) {
    await executor.assigned(attempt)
    const value = { brief: `no ${attempt}`, reason: 'OOPS', retryable: true }
    executor.say({
      results: [{ jobId, attempt, outcome: { $case: 'failed', value } }],
      credits: [{ lane: 1, slots: 1 }],
    })
  }
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]).toMatchObject({
    state: JobState.JOB_STATE_FAILED,
    completion: { error: { brief: 'no 2', reason: 'OOPS' } },
  })
})

test('a job handed back after its queue deadline waits for the next executor', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 1 })
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  executor.say({ handedBack: [{ jobId, attempt: 1 }] })
  await until(async () => (await it.jobs.get(jobId)).state === JobState.JOB_STATE_QUEUED)
  const { satisfied, statuses } = await it.jobs.wait([jobId], { timeoutMs: 800 })
  expect({ satisfied, state: statuses[0]?.state }).toEqual({
    satisfied: false,
    state: JobState.JOB_STATE_QUEUED,
  })
  executor.say({ credits: [{ lane: 1, slots: 1 }] })
  expect((await executor.assigned(2))[1]).toMatchObject({ jobId, attempt: 2 })
})
