/** Total and heartbeat deadlines (row J17): they end what they are for, whatever dies or stands still; and nothing else. */
import type { Database } from '@offstage/kit/database'
import type { AttachRequest } from '@offstage/proto/executor'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { type Draft, millis } from './testing/draft.ts'
import { openFreshDatabase } from './testing/fresh-database.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

const job = { method: 'test.job' }
const total = (ms: number) => ({ ...job, deadlines: { total: millis(ms) } })
const silent = { ...job, deadlines: { heartbeat: millis(1_000) } }
const retrying = (maxAttempts: number, pauseMs = 0) => ({
  retryPolicy: { maxAttempts, initialBackoff: millis(pauseMs), jitter: 0 },
})
const failed = (jobId: string, attempt: number): Draft<AttachRequest> => ({
  results: [
    {
      jobId,
      attempt,
      outcome: { $case: 'failed' as const, value: { brief: 'no', reason: 'NO', retryable: true } },
    },
  ],
  credits: [{ lane: 1, slots: 1 }],
})
const data = (text: string) => ({
  source: { $case: 'inline' as const, value: Buffer.from(text) },
  contentType: '',
})

/** Says that the handler lives, as often as executors do, until told to stop. */
function beating(executor: ScriptedExecutor, jobId: string, attempt = 1) {
  const timer = setInterval(() => executor.say({ progress: [{ jobId, attempt }] }), 100)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

test('past its total deadline a job fails in the queue and between two attempts, and says why', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 1 })
  const between = await it.jobs.start({ ...total(1_500), ...retrying(5, 60_000) })
  await executor.assigned(1)
  executor.say({ ...failed(between.jobId, 1), credits: [] })
  const queued = await it.jobs.start(total(300))
  const { statuses } = await it.jobs.wait([between.jobId, queued.jobId])
  expect(statuses.map(({ completion }) => completion?.error)).toMatchObject([
    {
      reason: 'TOTAL_DEADLINE_EXCEEDED',
      brief: 'The job was not done within its total deadline; its last attempt failed: no',
      retryable: false,
    },
    { reason: 'TOTAL_DEADLINE_EXCEEDED', brief: 'The job was not done within its total deadline.' },
  ])
  expect(executor.assignments).toHaveLength(1)
})

test('an executor is told what is left of the total deadline, less with each attempt', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ ...total(60_000), ...retrying(2, 50) })
  await executor.assigned(1)
  executor.say(failed(jobId, 1))
  const assigned = await executor.assigned(2)
  const left = assigned.map(
    ({ totalDeadline }) =>
      Number(totalDeadline?.seconds) * 1_000 + Number(totalDeadline?.nanos) / 1e6,
  )
  const [first = 0, second = 0] = left
  // Less than all of it where it waited for an executor.
  expect(first).toBeLessThanOrEqual(60_000)
  expect(second).toBeGreaterThan(0)
  expect(second).toBeLessThanOrEqual(first - 50)
})

test('what an executor runs past the total deadline ends all the same, is fenced and not retried', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ ...total(300), ...retrying(5) })
  await executor.assigned(1)
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]).toMatchObject({
    state: JobState.JOB_STATE_FAILED,
    completion: { error: { reason: 'TOTAL_DEADLINE_EXCEEDED', retryable: false } },
  })
  await until(() => executor.fenced.length === 1)
  expect(executor.fenced[0]).toMatchObject({ jobId, attempt: 1 })
  const { attempts } = await it.jobs.get(jobId)
  expect(attempts).toMatchObject([{ errorReason: 'TOTAL_DEADLINE_EXCEEDED' }])
})

test('a handler that falls silent fails its attempt, which is retried and recorded with the reason', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ ...silent, ...retrying(2) })
  const [first] = await executor.assigned(1)
  expect(first?.heartbeatDeadline).toEqual(millis(1_000))
  await executor.assigned(2)
  executor.say({ results: [{ jobId, attempt: 2, outcome: { $case: 'succeeded', value: {} } }] })
  await it.jobs.wait([jobId])
  const { attempts } = await it.jobs.get(jobId)
  expect(attempts).toMatchObject([
    { outcome: JobState.JOB_STATE_FAILED, errorReason: 'HEARTBEAT_DEADLINE_EXCEEDED' },
    { outcome: JobState.JOB_STATE_SUCCEEDED, errorReason: '' },
  ])
})

test('a handler that speaks goes on, by a bare heartbeat too, and one that waits for children may be silent', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const speaks = await it.jobs.start(silent)
  const waits = await it.jobs.start(silent)
  const says = await it.jobs.start(silent)
  await executor.assigned(3)
  using _beats = beating(executor, speaks.jobId)
  executor.say({ waiting: [{ jobId: waits.jobId, attempt: 1, waiting: true }] })
  await it.jobs.wait([says.jobId])
  expect(await it.jobs.get(says.jobId)).toMatchObject({ state: JobState.JOB_STATE_FAILED })
  expect(await it.jobs.get(speaks.jobId)).toMatchObject({ state: JobState.JOB_STATE_RUNNING })
  expect(await it.jobs.get(waits.jobId)).toMatchObject({ state: JobState.JOB_STATE_WAITING })
  executor.say({ waiting: [{ jobId: waits.jobId, attempt: 1, waiting: false }] })
  const { statuses } = await it.jobs.wait([waits.jobId])
  expect(statuses[0]?.completion?.error?.reason).toBe('HEARTBEAT_DEADLINE_EXCEEDED')
})

test('a database that stands still is nobody’s silence: the heartbeats behind it are heard first', async () => {
  let shut: Promise<void> | undefined
  const between = (database: Database): Database => ({
    ...database,
    query: async (statement, values) => {
      await shut
      return database.query(statement, values)
    },
  })
  await using it = await start({ between })
  await using executor = await attachExecutor(it.address)
  const speaks = await it.jobs.start(silent)
  await executor.assigned(1)
  using _beats = beating(executor, speaks.jobId)
  const gate = Promise.withResolvers<void>()
  shut = gate.promise
  // It holds the stream up: what comes behind it is not read.
  executor.say({ progress: [{ jobId: speaks.jobId, attempt: 1, progress: { percent: 1 } }] })
  await new Promise((resolve) => setTimeout(resolve, 6_000))
  shut = undefined
  gate.resolve()
  await until(async () => (await it.jobs.get(speaks.jobId)).progress?.percent === 1)
  executor.succeed(...executor.assignments)
  const { statuses } = await it.jobs.wait([speaks.jobId])
  expect(statuses[0]?.state).toBe(JobState.JOB_STATE_SUCCEEDED)
  expect(await it.jobs.get(speaks.jobId)).toMatchObject({ attempt: 1 })
}, 30_000)

test('deadlines go on with the session when its stream breaks, or its scheduler is another one', async () => {
  await using it = await start()
  const first = await attachExecutor(it.address)
  const over = await it.jobs.start({ ...total(1_200), ...retrying(5) })
  const quiet = await it.jobs.start(silent)
  await first.assigned(2)
  first.cut()
  const running = [over, quiet].map(({ jobId }) => ({ jobId, attempt: 1 }))
  await using again = await attachExecutor(it.address, { sessionId: first.sessionId, running })
  const { statuses } = await it.jobs.wait([over.jobId, quiet.jobId])
  expect(statuses.map(({ completion }) => completion?.error?.reason)).toEqual([
    'TOTAL_DEADLINE_EXCEEDED',
    'HEARTBEAT_DEADLINE_EXCEEDED',
  ])
  expect(again.assignments).toHaveLength(0)
})

test('a total deadline outlives the scheduler: the next one ends what is past it', async () => {
  await using database = await openFreshDatabase({ poolSize: 4 })
  const config = { sessionLeaseMs: 600, dueSweepMs: 50 }
  let jobId = ''
  {
    await using it = await setup({ database, config })
    await using executor = await attachExecutor(it.scheduler.address)
    jobId = (await it.jobs.start({ ...total(500), ...retrying(5) })).jobId
    await executor.assigned(1)
    executor.cut()
  }
  await using it = await setup({ database, config })
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]?.completion?.error?.reason).toBe('TOTAL_DEADLINE_EXCEEDED')
})

test('an executor that is frozen keeps no job beyond its heartbeat deadline', async () => {
  await using it = await start({ config: { sessionLeaseMs: 30_000 } })
  await using frozen = await attachExecutor(it.address, { slots: 2, silent: true })
  const { jobId } = await it.jobs.start({ ...silent, ...retrying(2) })
  await frozen.assigned(1)
  // Its other slot is not for what it has just failed to end.
  await using other = await attachExecutor(it.address)
  const [again] = await other.assigned(1)
  expect(again).toMatchObject({ jobId, attempt: 2 })
  const { attempts } = await it.jobs.get(jobId)
  expect(attempts[0]).toMatchObject({ errorReason: 'HEARTBEAT_DEADLINE_EXCEEDED' })
}, 30_000)

test('the last data of an attempt is recorded, given to the next one, and survives progress', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ ...job, ...retrying(3) })
  const [first] = await executor.assigned(1)
  expect(first?.heartbeatData).toBeUndefined()
  executor.say({
    progress: [
      { jobId, attempt: 1, heartbeatData: data('{"row":1}') },
      { jobId, attempt: 1, heartbeatData: data('{"row":2}') },
      { jobId, attempt: 1, progress: { percent: 5 } },
      { jobId, attempt: 1 },
    ],
  })
  await until(async () => (await it.jobs.get(jobId)).heartbeatData !== undefined)
  executor.say({ progress: [{ jobId, attempt: 1, progress: { percent: 7, text: 'x' } }] })
  await until(async () => (await it.jobs.get(jobId)).progress?.percent === 7)
  executor.say(failed(jobId, 1))
  const [, second] = await executor.assigned(2)
  expect(second?.heartbeatData?.source?.value.toString()).toBe('{"row":2}')
  executor.say(failed(jobId, 2))
  const [, , third] = await executor.assigned(3)
  expect(third?.heartbeatData?.source?.value.toString()).toBe('{"row":2}')
  expect(await it.jobs.get(jobId)).toMatchObject({ progress: { percent: 7, text: 'x' } })
})

test('a job that has said data and no progress has no progress', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  executor.say({ progress: [{ jobId, attempt: 1, heartbeatData: data('[]') }] })
  await until(async () => (await it.jobs.get(jobId)).heartbeatData !== undefined)
  expect((await it.jobs.get(jobId)).progress).toBeUndefined()
  executor.say({ progress: [{ jobId, attempt: 1, progress: { percent: 3 } }] })
  await until(async () => (await it.jobs.get(jobId)).progress?.revision === 1)
})

test.each([
  ['is too large', data('x'.repeat(65_537)), /progress\[0\]\.heartbeat_data has 65537 bytes/],
  [
    'is elsewhere',
    { source: { $case: 'address' as const, value: `val_${'0'.repeat(32)}` } },
    /heartbeat_data must be inline/,
  ],
  [
    'is no UTF-8',
    { source: { $case: 'inline' as const, value: Buffer.from('"\xe9"', 'latin1') } },
    /heartbeat_data\.inline is no UTF-8/,
  ],
  ['is of no media type', { ...data('1'), contentType: 'x\0' }, /heartbeat_data\.content_type/],
])('data that %s is refused by the name of its field', async (_, heartbeatData, message) => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  executor.say({ progress: [{ jobId, attempt: 1, heartbeatData }] })
  await until(() => executor.ended)
  expect(executor.error?.message).toMatch(message)
})
