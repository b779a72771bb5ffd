/** Ended jobs are started anew under their id (row J25), once, by who may, and nobody is confused by it. */
import { randomUUID } from 'node:crypto'
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { ask } from './testing/ask.ts'
import { millis } from './testing/draft.ts'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'
import type { Bundle } from './testing/setup.ts'
import { openWatch } from './testing/watch.ts'

const { JobState } = proto
const job = { method: 'test.job' }

function fail(executor: ScriptedExecutor, jobId: string, attempt: number, brief = 'no'): void {
  const value = { brief, reason: 'NO', retryable: true }
  executor.say({
    results: [{ jobId, attempt, outcome: { $case: 'failed', value } }],
    credits: [{ lane: 1, slots: 1 }],
  })
}

function succeed(executor: ScriptedExecutor, jobId: string, attempt: number): void {
  executor.say({
    results: [{ jobId, attempt, outcome: { $case: 'succeeded', value: {} } }],
    credits: [{ lane: 1, slots: 1 }],
  })
}

/** A job of ann that has failed. */
async function failedJob(it: Bundle, executor: ScriptedExecutor, spec = {}): Promise<string> {
  const { jobId } = await it.as('ann').start({ ...job, ...spec })
  await until(() => executor.assignments.some((each) => each.jobId === jobId))
  fail(executor, jobId, 1)
  expect(await it.as('ann').wait([jobId])).toMatchObject({ satisfied: true })
  return jobId
}

test('a failed job is started anew under its id, its attempts are numbered on and told with those before', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const retryPolicy = { maxAttempts: 2, initialBackoff: millis(0), jitter: 0 }
  const { jobId } = await it.as('ann').start({ ...job, retryPolicy })
  for (const attempt of [1, 2]) {
    await executor.assigned(attempt)
    fail(executor, jobId, attempt)
  }
  await it.jobs.wait([jobId])
  const queued = await it.as('ann').retry(jobId)
  expect(queued).toMatchObject({ jobId, completion: undefined, cancelRequested: false })
  // Its retries begin anew: two more attempts.
  await executor.assigned(3)
  fail(executor, jobId, 3, 'once more')
  await executor.assigned(4)
  succeed(executor, jobId, 4)
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]?.state).toBe(JobState.JOB_STATE_SUCCEEDED)
  const { attempts, attempt, completion } = await it.jobs.get(jobId)
  expect(attempt).toBe(4)
  expect(completion?.error).toBeUndefined()
  expect(attempts.map((each) => [each.attempt, each.errorBrief])).toEqual([
    [1, 'no'],
    [2, 'no'],
    [3, 'once more'],
    [4, ''],
  ])
})

test('a canceled job is started anew as if nobody had canceled it, and so are the children it starts then', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  const { jobId: child } = await it.jobs.start({ ...job, parentJobId: jobId })
  await executor.assigned(2)
  await it.jobs.cancel(jobId, { cascade: true, reason: 'enough' })
  executor.say({
    results: [jobId, child].map((id) => ({
      jobId: id,
      attempt: 1,
      outcome: { $case: 'canceled' as const, value: 'stopped' },
    })),
    credits: [{ lane: 1, slots: 2 }],
  })
  await it.jobs.wait([jobId, child])
  await it.jobs.retry(jobId)
  await executor.assigned(3)
  expect(await it.jobs.get(jobId)).toMatchObject({ cancelReason: '', cancelRequested: false })
  expect((await it.jobs.get(child)).state).toBe(JobState.JOB_STATE_CANCELED)
  const later = await it.jobs.start({ ...job, parentJobId: jobId, cancelWithParent: true })
  await executor.assigned(4)
  expect((await it.jobs.get(later.jobId)).state).toBe(JobState.JOB_STATE_RUNNING)
  succeed(executor, jobId, 2)
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]?.completion).toMatchObject({ state: 5, cancelOutcome: 0 })
})

test('what has succeeded or not ended is refused, saying where it stands', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  await expect(it.jobs.retry(jobId)).rejects.toThrow(/is running, and only failed and canceled/)
  succeed(executor, jobId, 1)
  await it.jobs.wait([jobId])
  await expect(it.jobs.retry(jobId)).rejects.toThrow(/is succeeded, and only failed and canceled/)
  await expect(it.jobs.retry(randomUUID())).rejects.toThrow(/there is no job/)
  await expect(it.jobs.retry('x')).rejects.toThrow(/job_id must be a job id/)
  await expect(it.jobs.retry(jobId, { requestId: 'a\0' })).rejects.toThrow(/request_id must not/)
})

test('of many calls at once one starts it anew, and one that is said again changes nothing', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 1 })
  const jobId = await failedJob(it, executor)
  const calls = Array.from({ length: 20 }, () => it.jobs.retry(jobId))
  const answers = await Promise.allSettled(calls)
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  await executor.assigned(2)
  fail(executor, jobId, 2)
  await it.jobs.wait([jobId])
  const ids = await Promise.all(
    Array.from({ length: 5 }, () => it.jobs.retry(jobId, { requestId: 'r' })),
  )
  expect(ids.map((each) => each.jobId)).toEqual(Array.from({ length: 5 }, () => jobId))
  await executor.assigned(3)
  fail(executor, jobId, 3)
  await it.jobs.wait([jobId])
  // However late it comes.
  expect(await it.jobs.retry(jobId, { requestId: 'r' })).toMatchObject({
    state: JobState.JOB_STATE_FAILED,
  })
  expect(await it.jobs.retry(jobId, { requestId: 's' })).not.toMatchObject({
    state: JobState.JOB_STATE_FAILED,
  })
  await executor.assigned(4)
  expect(executor.assignments).toHaveLength(4)
})

test('its key must be free: who holds it is named to those who may see that job', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const jobId = await failedJob(it, executor, { key: 'k' })
  const holder = await it.as('ben').start({ ...job, key: 'k' })
  await expect(it.as('ann').retry(jobId)).rejects.toThrow(
    /key "k" is held by a job of somebody else/,
  )
  await expect(it.jobs.retry(jobId)).rejects.toThrow(
    new RegExp(`held by job ${holder.jobId} of ben`),
  )
  await executor.assigned(2)
  succeed(executor, holder.jobId, 1)
  await it.jobs.wait([holder.jobId])
  await it.as('ann').retry(jobId)
  await expect(it.as('ben').start({ ...job, key: 'k' })).rejects.toThrow(/key "k" is held/)
})

test('a key that somebody waits for is not taken from them', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const jobId = await failedJob(it, executor, { key: 'k' })
  const holder = await it.as('ann').start({ ...job, key: 'k' })
  const next = await it.as('ann').start({ ...job, key: 'k', keyConflictPolicy: 3 })
  await executor.assigned(2)
  succeed(executor, holder.jobId, 1)
  await it.jobs.wait([holder.jobId])
  await expect(it.as('ann').retry(jobId)).rejects.toThrow(
    new RegExp(`held by job ${next.jobId} of ann`),
  )
})

test('of a retry and a start that want the same key at once one has it', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 100 })
  for (let round = 0; round < 30; round++) {
    const key = `k${round}`
    const jobId = await failedJob(it, executor, { key })
    const settled = await Promise.allSettled([
      it.as('ann').retry(jobId),
      it.as('ann').start({ ...job, key }),
    ])
    const won = settled.filter(({ status }) => status === 'fulfilled')
    const lost = settled.flatMap((each) =>
      each.status === 'rejected' ? [String(each.reason)] : [],
    )
    expect(lost).toEqual([expect.stringContaining(`key "${key}" is held by`)])
    expect(won).toHaveLength(1)
  }
})

test('its deadlines count anew, that of the queue too', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 2 })
  const limited = await failedJob(it, executor, { deadlines: { queue: millis(700) } })
  const whole = await failedJob(it, executor, { deadlines: { total: millis(700) } })
  await new Promise((resolve) => setTimeout(resolve, 800))
  // Whoever would run them is there no more: their time runs out in the queue, from now on.
  executor.leave()
  const anew = await Promise.all([limited, whole].map((id) => it.jobs.retry(id)))
  expect(anew.map(({ state }) => state)).toEqual([2, 2])
  const { statuses } = await it.jobs.wait([limited, whole])
  expect(statuses.map(({ completion }) => completion?.error?.reason)).toEqual([
    'QUEUE_DEADLINE_EXCEEDED',
    'TOTAL_DEADLINE_EXCEEDED',
  ])
})

test('who waits and who watches is told of the end they waited for, and whoever comes later of the next', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId }] })
  await until(() => watch.events.length > 0)
  const waits = it.jobs.wait([jobId])
  fail(executor, jobId, 1, 'first end')
  expect((await waits).statuses[0]?.completion?.error?.brief).toBe('first end')
  const ends = () =>
    watch.events.flatMap(({ event }) =>
      event?.$case === 'completion' ? [event.value.error?.brief ?? ''] : [],
    )
  await until(() => ends().length === 1)
  await it.jobs.retry(jobId)
  const next = it.jobs.wait([jobId])
  using again = openWatch(it.jobs.raw)
  again.say({ add: [{ jobId }] })
  again.halfClose()
  await executor.assigned(2)
  fail(executor, jobId, 2, 'second end')
  expect((await next).statuses[0]?.completion?.error?.brief).toBe('second end')
  await until(() => again.ended)
  expect(again.events.at(-1)?.event).toMatchObject({ value: { error: { brief: 'second end' } } })
  expect(ends()).toEqual(['first end'])
})

test('the word of an attempt of before changes nothing', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const jobId = await failedJob(it, executor)
  await it.jobs.retry(jobId)
  await executor.assigned(2)
  succeed(executor, jobId, 1)
  await until(() => executor.fenced.length === 1)
  expect((await it.jobs.get(jobId)).state).toBe(JobState.JOB_STATE_RUNNING)
})

test('parameters in temp storage are the job’s as long as it is there: the next attempt is told where they are', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const source = { $case: 'address' as const, value: `val_${'0'.repeat(32)}` }
  const jobId = await failedJob(it, executor, { params: { source }, paramsOwned: true })
  await it.jobs.retry(jobId)
  const [, again] = await executor.assigned(2)
  expect(again).toMatchObject({ jobId, attempt: 2, params: { source } })
})

test('one of which this scheduler cannot read all is started anew, and fails as before', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const jobId = await failedJob(it, executor)
  const options = '{"v":1,"paramsOwned":5,"totalDeadlineMs":"soon"}'
  const text = 'UPDATE offstage.jobs SET options = $1::jsonb'
  await it.database.query({ name: '', text }, [options])
  await it.jobs.retry(jobId)
  const { statuses } = await it.jobs.wait([jobId])
  expect(statuses[0]?.completion?.error?.reason).toBe('JOB_UNREADABLE')
})

test('owners start their own jobs anew, operators those of others, which is recorded; nobody else', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const jobId = await failedJob(it, executor)
  await expect(it.as('ben').retry(jobId)).rejects.toThrow(/there is no job/)
  await expect(it.as('rita:reader').retry(jobId)).rejects.toThrow(/PERMISSION_DENIED|may not/)
  const told = await it.as('olga:operator').retry(jobId)
  expect(told).toMatchObject({ jobId, owner: 'ann', params: undefined })
  await executor.assigned(2)
  expect(executor.assignments[1]).toMatchObject({ jobId, owner: 'ann' })
  fail(executor, jobId, 2)
  await it.jobs.wait([jobId])
  await it.as('ann').retry(jobId)
  using namespaces = connectNamespaces(it.address, 'root:admin')
  const { raw } = namespaces
  const { acts } = await ask(raw, raw.listActs, proto.ListActsRequest, {}, 'root:admin')
  expect(acts.filter(({ call }) => call === 'JobService.RetryJob')).toMatchObject([
    { user: 'olga', targets: [jobId], owners: ['ann'], outcome: 'OK' },
  ])
})

test('who may not start the method any more does not start it anew', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const jobId = await failedJob(it, executor)
  await using _other = await attachExecutor(it.address, {
    definitions: [{ name: 'test.job', startableBy: { roles: ['service'], users: [] } }],
  })
  await expect(it.as('ann').retry(jobId)).rejects.toThrow(/may be started by the roles service/)
  expect((await it.as('olga:operator').retry(jobId)).jobId).toBe(jobId)
})
