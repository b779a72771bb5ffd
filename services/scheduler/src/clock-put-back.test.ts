/** The clock of the database is put back: rows that were written before lie ahead of it. */

import { JobState } from '@offstage/proto/jobs'
import type { Duration } from '@offstage/proto/rpc'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

test('a cancel ends within its grace, and no longer grace is told to an executor that attaches anew', async () => {
  await using it = await start()
  const first = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  await first.assigned(1)
  await it.jobs.cancel(jobId, { graceMs: 1_000 })
  const text = `
    UPDATE offstage.jobs SET cancel_time = cancel_time + interval '1 hour',
      cancel_deadline = cancel_deadline + interval '1 hour'`
  await it.database.query({ name: '', text })
  const { sessionId } = first
  const running = [{ jobId, attempt: 1 }]
  await using again = await attachExecutor(it.address, { sessionId, running })
  await until(() => again.cancels.length > 0)
  const graceMs = ({ seconds, nanos }: Duration) => Number(seconds) * 1_000 + nanos / 1e6
  const told = again.cancels.map(({ grace }) => (grace === undefined ? 0 : graceMs(grace)))
  expect(Math.max(...told)).toBeLessThanOrEqual(1_000)
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]?.state).toBe(JobState.JOB_STATE_CANCELED)
})
