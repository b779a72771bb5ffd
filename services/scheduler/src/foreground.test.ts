/** Jobs in the process of their caller: a session of its own, to which nobody else's jobs come (row L7). */
import { randomUUID } from 'node:crypto'
import { ExecutionMode, JobState, Lane } from '@offstage/proto/jobs'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { until } from '@offstage/testkit'
import { describe, expect, test } from 'vitest'
import { readSlotLoad } from './store/read-slot-load.ts'
import { connectBulk } from './testing/bulk.ts'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptOptions } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

const { EXECUTION_MODE_BACKGROUND: BACKGROUND, EXECUTION_MODE_AUTO: AUTO } = ExecutionMode
const { EXECUTION_MODE_FOREGROUND: FOREGROUND, EXECUTION_MODE_FOREGROUND_FIRST: FIRST } =
  ExecutionMode
const job = { method: 'test.job' }
const refusalOf = (start: Promise<unknown>) => start.then(() => undefined, errorFromStatus)
/** As a caller attaches that is to run its jobs itself. */
const attachCaller = (address: string, { hello, ...options }: ScriptOptions = {}) =>
  attachExecutor(address, { ...options, hello: { ...hello, foreground: true } })
const failed = { brief: 'No.', detail: '', reason: 'Error', retryable: true }

test('a job runs in the session of its caller, with its retries, and in no other', async () => {
  await using it = await start()
  await using other = await attachExecutor(it.address)
  await using caller = await attachCaller(it.address)
  const { jobId } = await it.jobs.start({
    ...job,
    executorSessionId: caller.sessionId,
    retryPolicy: { maxAttempts: 2, initialBackoff: { seconds: 0n, nanos: 1 } },
  })
  const [first] = await caller.assigned(1)
  caller.say({
    results: [{ jobId, attempt: 1, outcome: { $case: 'failed', value: failed } }],
    credits: [{ lane: Lane.LANE_INLINE, slots: 1 }],
  })
  const [, second] = await caller.assigned(2)
  expect([first?.attempt, second?.attempt]).toEqual([1, 2])
  if (second !== undefined) caller.succeed(second)
  const { satisfied } = await it.jobs.wait([jobId])
  expect(satisfied).toBe(true)
  const record = await it.jobs.get(jobId)
  expect(record).toMatchObject({ attempt: 2, pool: '', mode: FOREGROUND })
  expect(record.attempts.map(({ executorSessionId }) => executorSessionId)).toEqual([
    caller.sessionId,
    caller.sessionId,
  ])
  expect(other.assignments).toEqual([])
})

test('a foreground session is given nothing that does not name it, and counts as no executor', async () => {
  await using it = await start()
  await using caller = await attachCaller(it.address, { hello: { pools: ['default'] } })
  const { jobId } = await it.jobs.start(job)
  using namespaces = connectNamespaces(it.address)
  const { methods } = await namespaces.listMethods()
  expect(methods).toMatchObject([{ executorCount: 0 }])
  expect((await it.jobs.explain(jobId)).text).toMatch(/^No executor that runs test\.job/)
  expect((await readSlotLoad(it.database)).executors).toEqual([])
  await using executor = await attachExecutor(it.address)
  expect(await executor.assigned(1)).toMatchObject([{ jobId }])
  expect(caller.assignments).toEqual([])
})

test('forced and forbidden at once, a session that is not there or another caller’s, and a pool of its kind are refused', async () => {
  await using it = await start()
  await using caller = await attachCaller(it.address)
  await using executor = await attachExecutor(it.address, { methods: ['test.other'] })
  const { sessionId: executorSessionId } = caller
  await expect(it.jobs.start({ ...job, mode: BACKGROUND, executorSessionId })).rejects.toThrow(
    /mode is BACKGROUND, which excludes executor_session_id/,
  )
  await expect(it.jobs.start({ ...job, mode: FOREGROUND })).rejects.toThrow(
    /executor_session_id is required/,
  )
  await expect(it.jobs.start({ ...job, executorSessionId: 'me' })).rejects.toThrow(
    /executor_session_id must be/,
  )
  await expect(it.jobs.start({ ...job, pool: 'offstage.session.x' })).rejects.toThrow(/reserved/)
  const ann = it.as('ann')
  for (const [client, spec] of [
    [it.jobs, { ...job, executorSessionId: randomUUID() }],
    [it.jobs, { method: 'test.other', executorSessionId }],
    [it.jobs, { method: 'test.other', executorSessionId: executor.sessionId }],
    [ann, { ...job, executorSessionId }],
  ] as const) {
    const refused = await refusalOf(client.start(spec))
    expect(refused).toMatchObject({ reason: 'EXECUTOR_SESSION_NOT_FOUND' })
  }
})

test('a method that cannot run in the background is refused there', async () => {
  await using it = await start()
  const definitions = [{ name: 'test.job', foregroundOnly: true }]
  await using caller = await attachCaller(it.address, { definitions })
  await using _executor = await attachExecutor(it.address, { definitions })
  expect(await refusalOf(it.jobs.start(job))).toMatchObject({ reason: 'METHOD_FOREGROUND_ONLY' })
  const { sessionId: executorSessionId } = caller
  const { jobId } = await it.jobs.start({ ...job, mode: AUTO, executorSessionId })
  expect(await caller.assigned(1)).toMatchObject([{ jobId }])
  await expect(
    it.database.query({
      name: '',
      text: "SELECT offstage.start_definition('default', 'test.job', 'dev')",
    }),
  ).rejects.toThrow(/cannot run in the background/)
})

test('a job of such a method is not started anew, which would be in the background', async () => {
  await using it = await start()
  const definitions = [{ name: 'test.job', foregroundOnly: true }]
  await using caller = await attachCaller(it.address, { definitions })
  await using executor = await attachExecutor(it.address, { definitions })
  const { sessionId: executorSessionId } = caller
  const { jobId } = await it.jobs.start({ ...job, executorSessionId })
  await caller.assigned(1)
  caller.say({ results: [{ jobId, attempt: 1, outcome: { $case: 'failed', value: failed } }] })
  await until(async () => (await it.jobs.get(jobId)).state === JobState.JOB_STATE_FAILED)
  for (const client of [it.jobs, it.as('olga:admin')]) {
    const refused = await refusalOf(client.retry(jobId))
    expect(refused).toMatchObject({ reason: 'METHOD_FOREGROUND_ONLY' })
  }
  const { result } = await connectBulk(it).run('retry', 'state:failed')
  expect(result).toEqual({ matched: 1, done: 0, skipped: { METHOD_FOREGROUND_ONLY: 1 } })
  expect(executor.assignments).toEqual([])
})

test('a session on another replica gets the job too', async () => {
  await using it = await start()
  await using other = await setup({ database: it.database })
  await using caller = await attachCaller(other.scheduler.address)
  const { jobId } = await it.jobs.start({ ...job, executorSessionId: caller.sessionId })
  expect(await caller.assigned(1)).toMatchObject([{ jobId }])
})

describe('once the session has gone', () => {
  test('a forced job ends with a reason, and started anew it runs on an executor', async () => {
    await using it = await start()
    await using caller = await attachCaller(it.address)
    const { jobId } = await it.jobs.start({ ...job, executorSessionId: caller.sessionId })
    await caller.assigned(1)
    caller.leave({ draining: true })
    await until(async () => (await it.jobs.get(jobId)).state === JobState.JOB_STATE_FAILED)
    const { completion } = await it.jobs.get(jobId)
    expect(completion?.error).toMatchObject({ reason: 'EXECUTOR_SESSION_LOST' })
    await using executor = await attachExecutor(it.address)
    await it.jobs.retry(jobId)
    expect(await executor.assigned(1)).toMatchObject([{ jobId, attempt: 2 }])
    expect((await it.jobs.get(jobId)).mode).toBeUndefined()
  })

  test('one that was only to run there first goes on in its pool, whatever the lease was lost to', async () => {
    await using it = await start({ config: { sessionLeaseMs: 400 } })
    await using executor = await attachExecutor(it.address, { hello: { pools: ['gpu'] } })
    await using caller = await attachCaller(it.address)
    const { sessionId: executorSessionId } = caller
    const spec = { ...job, pool: 'gpu', mode: FIRST, executorSessionId }
    const { jobId } = await it.jobs.start(spec)
    await caller.assigned(1)
    expect(await it.jobs.get(jobId)).toMatchObject({ pool: 'gpu', mode: FIRST })
    caller.cut()
    expect(await executor.assigned(1)).toMatchObject([{ jobId, attempt: 2 }])
    expect(await it.jobs.get(jobId)).toMatchObject({ pool: 'gpu', crashCount: 1 })
  })
})

describe('auto', () => {
  const auto = (executorSessionId: string) => ({ ...job, mode: AUTO, executorSessionId })

  test('is the foreground where no executor runs the method in the pool', async () => {
    await using it = await start()
    await using caller = await attachCaller(it.address)
    await using elsewhere = await attachExecutor(it.address, { hello: { pools: ['gpu'] } })
    const { jobId } = await it.jobs.start(auto(caller.sessionId))
    expect(await caller.assigned(1)).toMatchObject([{ jobId }])
    await it.jobs.start({ ...auto(caller.sessionId), pool: 'gpu' })
    await elsewhere.assigned(1)
    expect(caller.assignments).toHaveLength(1)
  })

  test('is the background where an executor can begin it and the session is not to be had, else refused', async () => {
    await using it = await start()
    const gone = auto(randomUUID())
    await using caller = await attachCaller(it.address)
    expect(await refusalOf(it.jobs.start(gone))).toMatchObject({
      reason: 'EXECUTOR_SESSION_NOT_FOUND',
    })
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(gone)
    const { jobId: others } = await it.as('ann').start(auto(caller.sessionId))
    expect(await executor.assigned(2)).toMatchObject([{ jobId }, { jobId: others }])
    const first = it.as('ann').start({ ...auto(caller.sessionId), mode: FIRST })
    expect(await refusalOf(first)).toMatchObject({ reason: 'EXECUTOR_SESSION_NOT_FOUND' })
  })

  test('is the background where one does on another replica', async () => {
    await using it = await start()
    await using other = await setup({ database: it.database })
    await using caller = await attachCaller(it.address)
    await using executor = await attachExecutor(other.scheduler.address)
    const { jobId } = await it.jobs.start(auto(caller.sessionId))
    expect(await executor.assigned(1)).toMatchObject([{ jobId }])
  })

  test('is the foreground where all slots are with jobs of the caller that wait', async () => {
    await using it = await start()
    await using caller = await attachCaller(it.address)
    await using executor = await attachExecutor(it.address, { slots: 1 })
    const parent = await it.jobs.start(job)
    await executor.assigned(1)
    const busy = await it.jobs.start({ ...auto(caller.sessionId) })
    expect(busy.state).toBe(JobState.JOB_STATE_QUEUED)
    // It gives no credit while it waits, as one that cannot park.
    executor.say({ waiting: [{ jobId: parent.jobId, attempt: 1, waiting: true }] })
    await until(async () => (await it.jobs.get(parent.jobId)).state === JobState.JOB_STATE_WAITING)
    const child = await it.jobs.start({ ...auto(caller.sessionId), parentJobId: parent.jobId })
    expect(await caller.assigned(1)).toMatchObject([{ jobId: child.jobId }])
  })
})

test('a session that asks for a longer lease keeps its job through a silence that costs others theirs', async () => {
  await using it = await start({ config: { sessionLeaseMs: 400 } })
  const lease = { seconds: 3_600n, nanos: 0 }
  await using patient = await attachCaller(it.address, { hello: { lease } })
  await using caller = await attachCaller(it.address)
  const spec = { ...job, mode: FOREGROUND }
  const kept = await it.jobs.start({ ...spec, executorSessionId: patient.sessionId })
  const lost = await it.jobs.start({ ...spec, executorSessionId: caller.sessionId })
  await Promise.all([patient.assigned(1), caller.assigned(1)])
  patient.cut()
  caller.cut()
  await until(async () => (await it.jobs.get(lost.jobId)).state === JobState.JOB_STATE_FAILED)
  expect(await it.jobs.get(kept.jobId)).toMatchObject({ state: JobState.JOB_STATE_RUNNING })
})
