import { expect, test } from 'vitest'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

const json = (value: unknown) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(value)) },
})

test('a job with an idle executor runs at once and is answered in the same call', async () => {
  await using it = await setup()
  await using _executor = await attachExecutor(it.scheduler.address, { auto: true })
  const started = await it.jobs.start({ method: 'test.job', params: json(7) }, { waitMs: 5_000 })
  expect(started.state).toBe(5)
  expect(started.completion?.result?.source?.value.toString()).toBe('7')
  const job = await it.jobs.get(started.jobId)
  expect(job).toMatchObject({ state: 5, attempt: 1, owner: 'dev', method: 'test.job' })
})
