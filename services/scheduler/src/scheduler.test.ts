import { randomUUID } from 'node:crypto'
import type { Database } from '@offstage/kit/database'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { v7 } from 'uuid'
import { describe, expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const json = (value: unknown) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(value)) },
})
const job = { method: 'test.job' }
const { JOB_STATE_SUCCEEDED, JOB_STATE_QUEUED, JOB_STATE_RUNNING } = JobState
const { JOB_STATE_CANCELED, JOB_STATE_FAILED, JOB_STATE_SCHEDULED, JOB_STATE_WAITING } = JobState

describe('starting', () => {
  test('a job with an idle executor runs at once and is answered in the same call', async () => {
    await using it = await start()
    await using _executor = await attachExecutor(it.address, { auto: true })
    const started = await it.jobs.start({ ...job, params: json(7) }, { waitMs: 5_000 })
    expect(started.state).toBe(JOB_STATE_SUCCEEDED)
    expect(started.completion?.result?.source?.value.toString()).toBe('7')
    const found = await it.jobs.get(started.jobId)
    expect(found).toMatchObject({ state: JOB_STATE_SUCCEEDED, attempt: 1, owner: 'dev' })
  })

  test('a method nobody has announced is refused, naming it and the known ones', async () => {
    await using it = await start()
    await using _executor = await attachExecutor(it.address)
    await expect(it.jobs.start({ method: 'test.jbo' })).rejects.toThrow(
      /"test\.jbo".*known methods: test\.job/,
    )
  })

  test('a known method without an executor waits in the queue, and runs when one attaches', async () => {
    await using it = await start()
    const first = await attachExecutor(it.address)
    first.cut()
    await until(async () => {
      const { state } = await it.jobs.start(job)
      return state === JOB_STATE_QUEUED
    })
    await using second = await attachExecutor(it.address, { slots: 100 })
    await second.assigned(1)
  })

  test('every wrong field is named', async () => {
    await using it = await start()
    await using _executor = await attachExecutor(it.address)
    const wrong = [
      [{ method: 'no spaces' }, /method/],
      [{ ...job, params: json('x'.repeat(70_000)) }, /params\.inline has 70002 bytes/],
      [{ ...job, priority: 1_001 }, /priority/],
      [{ ...job, key: 'k'.repeat(201) }, /key/],
      [{ ...job, key: 'a\0b' }, /key must not contain a NUL/],
      [{ ...job, parentJobId: 'me' }, /parent_job_id/],
      [{ ...job, retryPolicy: { maxAttempts: 2_000 } }, /retry_policy\.max_attempts/],
    ] as const
    for (const [spec, message] of wrong) await expect(it.jobs.start(spec)).rejects.toThrow(message)
    await expect(it.jobs.start(job, { namespace: 'no spaces' })).rejects.toThrow(/namespace/)
    await expect(it.jobs.start(job, { waitMs: 61_000 })).rejects.toThrow(/inline_wait/)
  })

  test('of many started together each has its own outcome', async () => {
    await using it = await start()
    await using _executor = await attachExecutor(it.address, { auto: true })
    const specs = [{ ...job, params: json(1) }, { method: '!' }, { ...job, params: json(3) }]
    const outcomes = await it.jobs.startMany(specs, 5_000)
    expect(outcomes.map(({ outcome }) => outcome?.$case)).toEqual(['started', 'error', 'started'])
    const [, refused, third] = outcomes.map(({ outcome }) => outcome)
    expect(refused?.value).toMatchObject({ code: 3 })
    expect(third?.value).toMatchObject({ completion: { state: JOB_STATE_SUCCEEDED } })
  })

  test('a job that does not fit into the free slots is queued and claimed when one is free', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address, { slots: 1 })
    const ids = await Promise.all([1, 2, 3].map(async () => (await it.jobs.start(job)).jobId))
    for (const count of [1, 2, 3]) {
      const assignments = await executor.assigned(count)
      expect(assignments).toHaveLength(count)
      executor.succeed(...assignments.slice(count - 1))
    }
    const { satisfied } = await it.jobs.wait(ids)
    expect(satisfied).toBe(true)
  })

  test('free slots of one lane do not hide what waits for another', async () => {
    await using it = await start({ config: { claimSweepMs: 60_000 } })
    const { jobs } = it
    await using _executor = await attachExecutor(it.address, { taskSlots: 1, auto: true })
    const lane = 2
    const drafts = Array.from({ length: 20 }, () => ({ method: 'test.job', lane }) as const)
    const started = await jobs.startMany(drafts)
    const ids = started.map(({ outcome }) =>
      outcome?.$case === 'started' ? outcome.value.jobId : '',
    )
    const { satisfied } = await jobs.wait(ids, { timeoutMs: 10_000 })
    expect(satisfied).toBe(true)
  })

  test('a long queue is worked off without hints, not a slotful for each sweep', async () => {
    await using here = await start()
    await using there = await start({ database: here.database, config: { claimSweepMs: 2_000 } })
    await using _executor = await attachExecutor(there.address, { slots: 2, auto: true })
    // The two have no bus in common.
    const started = await here.jobs.startMany(Array.from({ length: 40 }, () => job))
    const ids = started.map(({ outcome }) =>
      outcome?.$case === 'started' ? outcome.value.jobId : '',
    )
    const { satisfied } = await there.jobs.wait(ids, { timeoutMs: 10_000 })
    expect(satisfied).toBe(true)
  })

  test('higher priority is claimed first, equals in the order of their start', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address, { slots: 1 })
    await it.jobs.start(job)
    const [low, high, alsoHigh] = [
      await it.jobs.start({ ...job, priority: -5 }),
      await it.jobs.start({ ...job, priority: 5 }),
      await it.jobs.start({ ...job, priority: 5 }),
    ]
    for (const count of [1, 2, 3]) executor.succeed(...(await executor.assigned(count)).slice(-1))
    const order = (await executor.assigned(4)).slice(1).map(({ jobId }) => jobId)
    expect(order).toEqual([high.jobId, alsoHigh.jobId, low.jobId])
  })

  test('a delayed job becomes due by the clock of the database', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const started = await it.jobs.start({ ...job, delay: { seconds: 0n, nanos: 300_000_000 } })
    expect(started.state).toBe(JOB_STATE_SCHEDULED)
    const [assignment] = await executor.assigned(1)
    expect(assignment?.jobId).toBe(started.jobId)
    const { createTime, startTime } = await it.jobs.get(started.jobId)
    expect(Number(startTime) - Number(createTime)).toBeGreaterThanOrEqual(300)
  })
})

describe('identity of a start', () => {
  for (const [kind, requestId] of [
    ['a UUID of version 7, which becomes the job id', v7()],
    ['a UUID of version 7 made long ago', v7({ msecs: Date.now() - 86_400_000 })],
    ['any text', 'order 66'],
  ] as const) {
    test(`the same request id never creates a second job: ${kind}`, async () => {
      await using it = await start()
      await using executor = await attachExecutor(it.address)
      const starts = [1, 2, 3, 4].map(() => it.jobs.start({ ...job, requestId }))
      const started = await Promise.all(starts)
      expect(new Set(started.map(({ jobId }) => jobId)).size).toBe(1)
      expect(started.filter(({ existing }) => !existing)).toHaveLength(1)
      await executor.assigned(1)
      const again = await it.jobs.start({ ...job, requestId })
      expect(again).toMatchObject({ existing: true, jobId: started[0]?.jobId })
      expect(executor.assignments).toHaveLength(1)
      expect((await it.jobs.get(again.jobId)).requestId).toBe(requestId)
    })
  }

  test('a job started without a request id has none', async () => {
    await using it = await start()
    await using _executor = await attachExecutor(it.address)
    for (const spec of [job, { ...job, labels: { a: 'b' } }]) {
      const { jobId } = await it.jobs.start(spec)
      expect((await it.jobs.get(jobId)).requestId).toBe('')
    }
  })

  test('a request id of another start is refused; one of somebody else is as good as new', async () => {
    await using it = await start()
    await using _executor = await attachExecutor(it.address, { methods: ['test.job', 'test.two'] })
    const requestId = v7()
    await it.jobs.start({ ...job, requestId })
    await expect(it.jobs.start({ method: 'test.two', requestId })).rejects.toThrow(/request id/)
    expect((await it.jobs.start({ ...job, requestId }, { user: 'eve' })).existing).toBe(false)
  })

  test('one unfinished job for each key, whatever the race: the others learn the holder', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const racing = await Promise.allSettled(
      Array.from({ length: 20 }, () => it.jobs.start({ ...job, key: 'k' })),
    )
    const won = racing.filter((outcome) => outcome.status === 'fulfilled')
    const lost = racing.filter((outcome) => outcome.status === 'rejected')
    expect(won).toHaveLength(1)
    expect(String(lost[0]?.reason)).toMatch(`held by job ${won[0]?.value.jobId} of dev`)
    executor.succeed(...(await executor.assigned(1)))
    await it.jobs.wait([won[0]?.value.jobId ?? ''])
    await expect(it.jobs.start({ ...job, key: 'k' })).resolves.toMatchObject({ existing: false })
  })

  test('on conflict the running job can be returned instead', async () => {
    let met = false
    const between = (database: Database): Database => ({
      ...database,
      async query(statement, values) {
        const found = await database.query<never>(statement, values)
        met ||= statement.name === 'find_existing_jobs' && found.rowCount > 0
        return found
      },
    })
    await using it = await start({ between })
    await using executor = await attachExecutor(it.address)
    const holder = await it.jobs.start({ ...job, key: 'k' })
    const second = it.jobs.start(
      { ...job, key: 'k', keyConflictPolicy: 2, params: json('ignored') },
      { waitMs: 5_000 },
    )
    await until(() => met, { what: 'the second start to meet the first' })
    executor.succeed(...(await executor.assigned(1)))
    expect(await second).toMatchObject({
      jobId: holder.jobId,
      existing: true,
      state: JOB_STATE_SUCCEEDED,
    })
  })

  test('jobs queued behind a key run one after another, in the order of their start', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const ids: string[] = []
    for (let i = 0; i < 4; i++) {
      const { jobId } = await it.jobs.start({ ...job, key: 'k', keyConflictPolicy: 3 })
      ids.push(jobId)
    }
    for (let count = 1; count <= ids.length; count++) {
      const assignments = await executor.assigned(count)
      expect(assignments.map(({ jobId }) => jobId)).toEqual(ids.slice(0, count))
      executor.succeed(...assignments.slice(-1))
    }
    expect((await it.jobs.wait(ids)).satisfied).toBe(true)
  })
})

describe('ending', () => {
  test('a failed attempt is repeated after its backoff until the attempts are used up', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const retryPolicy = { maxAttempts: 3, initialBackoff: { seconds: 0n, nanos: 20_000_000 } }
    const { jobId } = await it.jobs.start({ ...job, retryPolicy })
    for (const attempt of [1, 2, 3]) {
      const assignments = await executor.assigned(attempt)
      expect(assignments.at(-1)?.attempt).toBe(attempt)
      const failed = { brief: `no ${attempt}`, detail: 'stack', reason: 'Oops', retryable: true }
      executor.say({
        results: [{ jobId, attempt, outcome: { $case: 'failed', value: failed } }],
        credits: [{ lane: 1, slots: 1 }],
      })
    }
    const { statuses } = await it.jobs.wait([jobId])
    expect(statuses[0]).toMatchObject({
      state: JOB_STATE_FAILED,
      completion: { error: { brief: 'no 3', detail: 'stack', reason: 'Oops' } },
    })
  })

  test('an error marked as not retryable is final', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start({ ...job, retryPolicy: { maxAttempts: 9 } })
    await executor.assigned(1)
    const value = { brief: 'no', retryable: false }
    executor.say({ results: [{ jobId, attempt: 1, outcome: { $case: 'failed', value } }] })
    const { statuses } = await it.jobs.wait([jobId])
    expect(statuses[0]?.state).toBe(JOB_STATE_FAILED)
  })

  test('a result is acknowledged once recorded; one sent twice, or of an old attempt, is fenced', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    const [assignment] = await executor.assigned(1)
    if (assignment === undefined) throw new Error('no assignment')
    executor.succeed({ ...assignment, attempt: 7 })
    await until(() => executor.fenced.length === 1)
    executor.succeed(assignment)
    await until(() => executor.acknowledged.length === 1)
    executor.succeed(assignment)
    await until(() => executor.fenced.length === 2)
    expect((await it.jobs.get(jobId)).state).toBe(JOB_STATE_SUCCEEDED)
  })

  test('a waiting parent is shown as such, and its slot takes another job', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address, { slots: 1 })
    const { jobId } = await it.jobs.start(job)
    await executor.assigned(1)
    executor.say({
      waiting: [{ jobId, attempt: 1, waiting: true }],
      credits: [{ lane: 1, slots: 1 }],
    })
    await until(async () => (await it.jobs.get(jobId)).state === JOB_STATE_WAITING)
    const child = await it.jobs.start({ ...job, parentJobId: jobId })
    executor.succeed(...(await executor.assigned(2)).slice(-1))
    expect((await it.jobs.wait([child.jobId])).satisfied).toBe(true)
    executor.say({ waiting: [{ jobId, attempt: 1, waiting: false }] })
    await until(async () => (await it.jobs.get(jobId)).state === JOB_STATE_RUNNING)
  })

  test('of what a frame says about waiting the last counts: it went on, and waits again', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await executor.assigned(1)
    const attempt = { jobId, attempt: 1 }
    executor.say({ waiting: [{ ...attempt, waiting: true }] })
    await until(async () => (await it.jobs.get(jobId)).state === JOB_STATE_WAITING)
    executor.say({
      waiting: [
        { ...attempt, waiting: false },
        { ...attempt, waiting: true },
      ],
    })
    // Answered once all that was said before it has been recorded.
    const outcome = { $case: 'canceled' as const, value: '' }
    executor.say({ results: [{ jobId: 'nobody', attempt: 1, outcome }] })
    await until(() => executor.fenced.length > 0)
    expect(await it.jobs.get(jobId)).toMatchObject({ state: JOB_STATE_WAITING })
  })
})

describe('losing executors', () => {
  test('jobs of an executor that is gone are run by another once its lease has run out', async () => {
    await using it = await start()
    const first = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await first.assigned(1)
    first.cut()
    await using second = await attachExecutor(it.address)
    const [assignment] = await second.assigned(1)
    expect(assignment).toMatchObject({ jobId, attempt: 2 })
    second.succeed(...second.assignments)
    expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
    expect(await it.jobs.get(jobId)).toMatchObject({ crashCount: 1, state: JOB_STATE_SUCCEEDED })
  })

  test('a session that attaches again within its lease goes on with what it runs', async () => {
    await using it = await start({ config: { sessionLeaseMs: 60_000 } })
    const first = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    const assignments = [...(await first.assigned(1))]
    first.cut()
    await using again = await attachExecutor(it.address, {
      sessionId: first.sessionId,
      running: [{ jobId, attempt: 1 }],
    })
    again.succeed(...assignments)
    expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
    expect(await it.jobs.get(jobId)).toMatchObject({ attempt: 1, crashCount: 0 })
  })

  test('a session that attaches again, though its stream lives, has the slots of the new one only', async () => {
    await using it = await start()
    const { jobs } = it
    await using first = await attachExecutor(it.address, { slots: 3 })
    const { sessionId } = first
    await using second = await attachExecutor(it.address, { slots: 3, sessionId })
    await until(() => first.ended, { what: 'the end of the first stream' })
    await jobs.startMany(Array.from({ length: 6 }, () => ({ method: 'test.job' })))
    expect(await second.assigned(3)).toHaveLength(3)
    expect(first.assignments).toHaveLength(0)
  })

  test('an assignment lost on its way goes back into the queue at no charge', async () => {
    await using it = await start({ config: { sessionLeaseMs: 60_000 } })
    const first = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await first.assigned(1)
    first.cut()
    await using again = await attachExecutor(it.address, { sessionId: first.sessionId })
    expect((await again.assigned(1))[0]).toMatchObject({ jobId, attempt: 2 })
    expect(await it.jobs.get(jobId)).toMatchObject({ crashCount: 0 })
  })

  test('a session that lost its jobs is fenced when it comes back with them', async () => {
    await using it = await start()
    const first = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await first.assigned(1)
    first.cut()
    await using second = await attachExecutor(it.address)
    await second.assigned(1)
    await using late = await attachExecutor(it.address, {
      sessionId: first.sessionId,
      running: [{ jobId, attempt: 1 }],
    })
    await until(() => late.fenced.some((attempt) => attempt.jobId === jobId))
  })

  test('a job that keeps killing its executor ends as failed', async () => {
    await using it = await start({ config: { crashLimit: 2, sessionLeaseMs: 300 } })
    const first = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await first.assigned(1)
    first.cut()
    const second = await attachExecutor(it.address)
    await second.assigned(1)
    second.cut()
    const { statuses } = await it.jobs.wait([jobId])
    expect(statuses[0]).toMatchObject({
      state: JOB_STATE_FAILED,
      completion: { error: { reason: 'EXECUTOR_LOST' } },
    })
  })

  test('handed back jobs are run again at no charge', async () => {
    await using it = await start()
    // One slot: no claim is under way for another as it leaves.
    await using first = await attachExecutor(it.address, { slots: 1 })
    const { jobId } = await it.jobs.start(job)
    await first.assigned(1)
    await using second = await attachExecutor(it.address)
    first.say({ draining: true, handedBack: [{ jobId, attempt: 1 }] })
    expect((await second.assigned(1))[0]).toMatchObject({ jobId, attempt: 2 })
    expect(await it.jobs.get(jobId)).toMatchObject({ crashCount: 0 })
  })

  test('an executor that falls silent is cut off', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address, { silent: true })
    await until(() => executor.ended)
  })
})

describe('canceling', () => {
  test('a queued job never starts', async () => {
    await using it = await start()
    await using _executor = await attachExecutor(it.address, { slots: 0 })
    const { jobId } = await it.jobs.start(job)
    expect(await it.jobs.cancel(jobId)).toEqual({ state: JOB_STATE_CANCELED, outcome: 1 })
    const { statuses } = await it.jobs.wait([jobId])
    expect(statuses[0]?.completion).toMatchObject({ state: JOB_STATE_CANCELED, cancelOutcome: 1 })
  })

  test('a running job is told, and stops', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await executor.assigned(1)
    const { sessionId: executorSessionId } = executor
    expect(await it.jobs.get(jobId)).toMatchObject({ executorSessionId, cancelReason: '' })
    const reason = 'changed my mind'
    expect(await it.jobs.cancel(jobId, { reason })).toEqual({
      state: JOB_STATE_RUNNING,
      outcome: 0,
    })
    await until(() => executor.cancels.length > 0)
    executor.say({ results: [{ jobId, attempt: 1, outcome: { $case: 'canceled', value: '' } }] })
    const { statuses } = await it.jobs.wait([jobId])
    expect(statuses[0]?.completion).toMatchObject({ state: JOB_STATE_CANCELED, cancelOutcome: 2 })
    const ended = { executorSessionId: '', cancelReason: reason }
    expect(await it.jobs.get(jobId)).toMatchObject(ended)
  })

  test('a job whose handler was not called yet never started, as its executor says', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await executor.assigned(1)
    await it.jobs.cancel(jobId)
    const outcome = { $case: 'canceled' as const, value: '' }
    executor.say({ results: [{ jobId, attempt: 1, outcome, neverStarted: true }] })
    const { statuses } = await it.jobs.wait([jobId])
    expect(statuses[0]?.completion).toMatchObject({ state: JOB_STATE_CANCELED, cancelOutcome: 1 })
  })

  test('a job that finishes anyway keeps its result, and says so', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    const assignments = await executor.assigned(1)
    await it.jobs.cancel(jobId)
    executor.succeed(...assignments)
    const { statuses } = await it.jobs.wait([jobId])
    expect(statuses[0]?.completion).toMatchObject({ state: JOB_STATE_SUCCEEDED, cancelOutcome: 3 })
  })

  test('a cancel ends though the executor is dead', async () => {
    await using it = await start()
    const executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await executor.assigned(1)
    await it.jobs.cancel(jobId, { graceMs: 0 })
    executor.cut()
    const { statuses } = await it.jobs.wait([jobId])
    expect(statuses[0]?.state).toBe(JOB_STATE_CANCELED)
  })

  test('a job that does not exist, or belongs to another, is not found', async () => {
    await using it = await start()
    const id = randomUUID()
    await expect(it.jobs.cancel(id)).rejects.toThrow(`there is no job ${id}`)
    await expect(it.jobs.get(id)).rejects.toThrow(`there is no job ${id}`)
  })
})

describe('waiting', () => {
  test('a timeout is an answer that lists each state', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address, { slots: 1 })
    const running = await it.jobs.start(job)
    const queued = await it.jobs.start(job)
    await executor.assigned(1)
    const missing = randomUUID()
    const ids = [running.jobId, queued.jobId, missing]
    const { satisfied, statuses } = await it.jobs.wait(ids, { timeoutMs: 10 })
    expect(satisfied).toBe(false)
    expect(statuses.map(({ state }) => state)).toEqual([JOB_STATE_RUNNING, JOB_STATE_QUEUED, 0])
  })

  test('ANY answers with the first to end', async () => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const ids = [await it.jobs.start(job), await it.jobs.start(job)].map(({ jobId }) => jobId)
    const [, second] = await executor.assigned(2)
    const answer = it.jobs.wait(ids, { any: true })
    if (second !== undefined) executor.succeed(second)
    const { satisfied, statuses } = await answer
    expect(satisfied).toBe(true)
    expect(statuses.map(({ state }) => state)).toEqual([JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED])
  })
})
