/** A fallback is called where the method is unknown, and is checked then as any method (row A4). */
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const json = (value: unknown) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(value)) },
})
const unknown = { method: 'test.new', fallbackMethod: 'test.job', params: json({ n: 1 }) }
const NIGHTLY = { $case: 'cron', value: '0 0 * * *' } as const
const refusalOf = (start: Promise<unknown>) => start.then(() => undefined, errorFromStatus)

test('the fallback of an unknown method runs with its parameters, and both are told', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(unknown)
  const [assignment] = await executor.assigned(1)
  expect(assignment).toMatchObject({ method: 'test.job', requestedMethod: 'test.new' })
  expect(assignment?.params).toMatchObject(json({ n: 1 }))
  const both = { method: 'test.job', requestedMethod: 'test.new', displayName: 'test.job' }
  expect(await it.jobs.get(jobId)).toMatchObject(both)
  // Of many starts each goes its own way.
  const outcomes = await it.jobs.startMany([unknown, { ...unknown, fallbackMethod: 'test.other' }])
  expect(outcomes.map(({ outcome }) => outcome?.$case)).toEqual(['started', 'error'])
})

test('a known method has no use for its fallback, known or not', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ method: 'test.job', fallbackMethod: 'test.nowhere' })
  const [assignment] = await executor.assigned(1)
  expect(assignment).toMatchObject({ method: 'test.job', requestedMethod: '' })
  expect((await it.jobs.get(jobId)).requestedMethod).toBeUndefined()
})

test('where the fallback is unknown too the refusal names both', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const start_ = it.jobs.start({ method: 'test.new', fallbackMethod: 'test.newer' })
  expect(await refusalOf(start_)).toMatchObject({
    reason: 'METHOD_UNKNOWN',
    message: expect.stringMatching(/"test\.new", nor its fallback "test\.newer".*test\.job/),
    metadata: { method: 'test.new', fallback_method: 'test.newer' },
  })
})

test('schema, rights, labels, defaults and keys are those of the fallback', async () => {
  await using it = await start()
  const definition = {
    name: 'test.job',
    paramsSchema: '{"properties":{"n":{"type":"number"}}}',
    startableBy: { roles: ['operator'], users: [] },
    labelExpressions: { n: 'string(params.n)' },
    retryPolicy: { maxAttempts: 7 },
  }
  await using _executor = await attachExecutor(it.address, { definitions: [definition] })
  const misfit = it.jobs.start({ ...unknown, params: json({ n: 'one' }) })
  expect(await refusalOf(misfit)).toMatchObject({ reason: 'PARAMS_INVALID' })
  const barred = it.as('ann').start(unknown)
  expect(await refusalOf(barred)).toMatchObject({ reason: 'METHOD_NOT_STARTABLE' })
  const { jobId } = await it.jobs.start({ ...unknown, key: 'one' })
  const job = await it.jobs.get(jobId)
  expect(job).toMatchObject({ labels: { n: '1' }, retryPolicy: { maxAttempts: 7 } })
  const direct = it.jobs.start({ method: 'test.job', params: json({ n: 1 }), key: 'one' })
  expect(await refusalOf(direct)).toMatchObject({ reason: 'JOB_KEY_TAKEN' })
})

test('a start that is said again is answered with its job, though its method has come to be known', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const spec = { ...unknown, requestId: 'order-66' }
  const first = await it.jobs.start(spec)
  expect(await it.jobs.start(spec)).toMatchObject({ jobId: first.jobId, existing: true })
  await using _newer = await attachExecutor(it.address, { methods: ['test.new'] })
  expect(await it.jobs.start(spec)).toMatchObject({ jobId: first.jobId, existing: true })
  const other = it.jobs.start({ ...spec, method: 'test.job', fallbackMethod: '' })
  expect(await refusalOf(other)).toMatchObject({ reason: 'REQUEST_ID_REUSED' })
})

test('a malformed fallback is refused by its name, and schedules have none', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  await expect(it.jobs.start({ ...unknown, fallbackMethod: 'no spaces' })).rejects.toThrow(
    /fallback_method/,
  )
  const schedule = { scheduleId: 'nightly', job: unknown, timing: NIGHTLY }
  await expect(connectSchedules(it).create(schedule)).rejects.toThrow(
    /schedule\.job\.fallback_method is not for schedules/,
  )
})
