/** Whoever asks why a job waits is told what has to pass first, and who holds it (row J25). */
import { Lane, WaitCause } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { connectNamespaces } from '../testing/namespaces.ts'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor, type ScriptOptions } from '../testing/scripted-executor.ts'
import { updateNamespace } from '../testing/update-namespace.ts'

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
  const nothing = { cause, holders: [], ahead: 0, aheadIsMinimum: false, executors: [] }
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
    text: `Its key is held by job ${holder.jobId}, and another job takes it before.`,
    holders: [holder.jobId, second.jobId],
    ahead: 2,
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
    text: 'It waits behind 2 jobs of test.job for the one slot in the lane inline; too few began lately to tell when it will.',
  })
  it.executor.say({ draining: true })
  await expect
    .poll(() => it.jobs.explain(third.jobId))
    .toMatchObject({
      cause: WaitCause.WAIT_CAUSE_NO_EXECUTOR,
      text: 'No executor that runs test.job is attached to namespace default: the last one takes no more work.',
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

test('whatever changes, the next to ask is told what holds the job back now', async () => {
  await using it = await begin({ slots: 2 })
  const holder = await it.jobs.start({ ...job, key: 'k' })
  await it.jobs.start(job)
  const { jobId } = await it.jobs.start({ ...job, key: 'k', keyConflictPolicy: 3 as const })
  const limits = (...of: { readonly method: string; readonly maxConcurrency: number }[]) =>
    updateNamespace(it.address, { limits: of }, { mask: ['limits'] })
  const cause = async () => {
    const { cause: told } = await it.jobs.explain(jobId)
    return Object.entries(WaitCause)
      .find(([, cause]) => cause === told)?.[0]
      .slice(11)
  }
  expect(await cause()).toBe('KEY')
  await it.namespaces.pauseMethod('test.job')
  expect(await cause()).toBe('KEY')
  const outcome = { $case: 'succeeded' as const, value: {} }
  it.executor.say({ results: [{ jobId: holder.jobId, attempt: 1, outcome }] })
  await expect.poll(cause, { timeout: 5_000 }).toBe('PAUSED')
  // Takes the slot that is free by the word of the database.
  await it.jobs.start({ ...job, priority: 1 })
  await limits({ method: 'test.job', maxConcurrency: 1 })
  await it.namespaces.resumeMethod('test.job')
  expect(await cause()).toBe('LIMIT')
  await limits()
  expect(await cause()).toBe('NO_SLOT')
  it.executor.say({ draining: true })
  await expect.poll(cause).toBe('NO_EXECUTOR')
  await using next = await attachExecutor(it.address)
  await next.assigned(2)
  expect(await cause()).toBe('NONE')
})

test('of executors that are there but take no such job it is told what they lack', async () => {
  await using it = await begin({ hello: { pools: ['gpu'], lanes: [{ lane: 1, slots: 1 }] } })
  const { jobId } = await it.jobs.start(job)
  const elsewhere = await it.jobs.explain(jobId)
  expect(elsewhere).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_NO_EXECUTOR,
    text: 'No executor that runs test.job is attached to namespace default: the one that runs it serves other pools.',
    executors: [
      {
        sessionId: it.executor.sessionId,
        name: 'scripted',
        pools: ['gpu'],
        attached: true,
        servesPool: false,
        fits: true,
        slots: 1,
        used: 0,
      },
    ],
  })
  const seen = elsewhere.executors[0]?.seenTime
  await expect
    .poll(async () => (await it.jobs.explain(jobId)).executors[0]?.seenTime)
    .not.toEqual(seen)
})

test('an executor that left is told of with when it was seen last', async () => {
  await using it = await begin()
  it.executor.leave()
  const { jobId } = await it.jobs.start(job)
  const explained = () => it.jobs.explain(jobId)
  await expect
    .poll(explained)
    .toMatchObject({ executors: [{ attached: false, sessionId: it.executor.sessionId }] })
  const { text, executors } = await explained()
  const seen = executors[0]?.seenTime?.toISOString()
  expect(text).toBe(
    `No executor that runs test.job is attached to namespace default: the last one was seen at ${seen}.`,
  )
})

test('an executor that has fallen silent is told of as that', async () => {
  await using it = await start({ config: { sessionLeaseMs: 60_000 } })
  await using executor = await attachExecutor(it.address, { silent: true, slots: 0 })
  const { jobId } = await it.jobs.start(job)
  // As the round after its lease finds it; its hello may be a word that renews it once.
  const doubted = { name: '', text: 'UPDATE offstage.attachments SET in_doubt = true' }
  const explained = async () => {
    await it.database.query(doubted)
    return it.jobs.explain(jobId)
  }
  await expect.poll(explained).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_NO_EXECUTOR,
    text: expect.stringMatching(/: nothing has been heard of the last one since 2\S+Z\.$/),
    executors: [{ sessionId: executor.sessionId, attached: true, inDoubt: true }],
  })
})

test('parameters that fit none of the executors that are left are a cause of their own', async () => {
  await using it = await start()
  const announcing = (required: string) => ({
    definitions: [
      { name: 'test.job', paramsSchema: JSON.stringify({ type: 'object', required: [required] }) },
    ],
    hello: { lanes: [{ lane: Lane.LANE_INLINE, slots: 1 }] },
    slots: 1,
  })
  await using old = await attachExecutor(it.address, announcing('old'))
  const fresh = await attachExecutor(it.address, announcing('new'))
  const params = { source: { $case: 'inline' as const, value: Buffer.from('{"new":1}') } }
  await it.jobs.start({ ...job, params })
  const { jobId } = await it.jobs.start({ ...job, params })
  await expect
    .poll(() => it.jobs.explain(jobId), { timeout: 5_000 })
    .toMatchObject({
      cause: WaitCause.WAIT_CAUSE_NO_SLOT,
      holders: [fresh.sessionId],
      executors: [{ fits: true, used: 1 }, { fits: false }],
    })
  await fresh[Symbol.asyncDispose]()
  await expect
    .poll(() => it.jobs.explain(jobId), { timeout: 5_000 })
    .toMatchObject({
      cause: WaitCause.WAIT_CAUSE_NO_FIT,
      text: 'Its parameters do not fit the schema by which the one executor runs test.job.',
      holders: [old.sessionId],
    })
})

test('executors are named to those alone who may list them', async () => {
  await using it = await begin()
  await it.as('ann').start(job)
  const { jobId } = await it.as('ann').start(job)
  const own = await it.as('ann').explain(jobId)
  expect(own).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_NO_SLOT,
    holders: [],
    executors: [],
    text: 'It is the next to get the one slot for test.job in the lane inline, which is taken; too few began lately to tell when it will.',
  })
  const { executors } = await it.as('olga:operator').explain(jobId)
  expect(executors.map(({ sessionId }) => sessionId)).toEqual([it.executor.sessionId])
})

test('when a job begins is told by how many began lately, and by nothing where something else holds it', async () => {
  await using it = await begin()
  await it.jobs.start(job)
  await it.jobs.startMany(Array.from({ length: 9 }, () => job))
  const { jobId } = await it.jobs.start(job)
  expect((await it.jobs.explain(jobId)).startEstimate).toBeUndefined()
  const sample = `
    INSERT INTO offstage.pace_samples (namespace, method, lane, pool, scheduler, starts, period_ms)
    SELECT 'default', 'test.job', 1, '', 'one', 5, 10000 FROM generate_series(1, 6)`
  await it.database.query({ name: '', text: sample })
  const { text, startEstimate, ahead } = await it.jobs.explain(jobId)
  expect(ahead).toBe(9)
  // Ten at one in two seconds.
  const [earliest, latest] = [startEstimate?.earliest, startEstimate?.latest]
  expect(Number(earliest?.seconds)).toBeGreaterThan(14)
  expect(Number(earliest?.seconds)).toBeLessThan(20)
  expect(Number(latest?.seconds)).toBeGreaterThanOrEqual(20)
  expect(Number(latest?.seconds)).toBeLessThan(28)
  expect(text).toMatch(
    /^It waits behind 9 jobs of test\.job for the one slot in the lane inline; about 1\d–2\d s at the present rate\.$/,
  )
  await it.namespaces.pauseMethod('test.job')
  expect((await it.jobs.explain(jobId)).startEstimate).toBeUndefined()
})

test('while a queue is worked off, when a job begins is known from what began before it', async () => {
  await using it = await begin()
  let done = 0
  const working = setInterval(() => {
    it.executor.succeed(...it.executor.assignments.slice(done))
    done = it.executor.assignments.length
  }, 20)
  try {
    await it.jobs.startMany(Array.from({ length: 450 }, () => job))
    await it.jobs.startMany(Array.from({ length: 450 }, () => job))
    const { jobId } = await it.jobs.start({ ...job, priority: -1 })
    await expect
      .poll(async () => (await it.jobs.explain(jobId)).text, { timeout: 30_000, interval: 200 })
      .toMatch(/^It waits behind \d+ jobs of test\.job .* at the present rate\.$/)
  } finally {
    clearInterval(working)
  }
})
