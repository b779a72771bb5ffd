/** A start may require a version of its method: only executors that announce it get the job (row J1). */
import { ExecutionMode, Lane, WaitCause } from '@offstage/proto/jobs'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { connectBulk } from './testing/bulk.ts'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor, type ScriptOptions } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const job = { method: 'test.job' }
const requiring = (requiredVersion: string, more = {}) => ({ ...job, requiredVersion, ...more })
const of = (version: string, options: ScriptOptions = {}) => ({
  definitions: [{ name: 'test.job', version }],
  ...options,
})
const oneSlot = { slots: 1, hello: { lanes: [{ lane: Lane.LANE_INLINE, slots: 1 }] } }
const idsOf = (assignments: readonly { readonly jobId: string }[]) =>
  assignments.map(({ jobId }) => jobId).toSorted()

test.for([
  ['PGlite', setup],
  ['PostgreSQL', start],
] as const)(
  'a job runs on executors of the version it requires, at once and claimed, on %s',
  async ([, begin]) => {
    await using it = await begin()
    const { address } = it.scheduler
    await using none = await attachExecutor(address, { auto: true })
    await using first = await attachExecutor(address, of('1', { auto: true }))
    const early = await it.jobs.start(requiring('2+b'))
    await using second = await attachExecutor(address, of('2+b', { auto: true }))
    const specs = ['1', '2+b', '1', '2+b'].map((version) => requiring(version))
    const started = await Promise.all(specs.map((spec) => it.jobs.start(spec, { waitMs: 10_000 })))
    expect(started.map(({ completion }) => completion?.state)).toEqual([5, 5, 5, 5])
    const [a, b, c, d] = started.map(({ jobId }) => jobId)
    await it.jobs.wait([early.jobId])
    expect(idsOf(first.assignments)).toEqual([a, c].toSorted())
    expect(idsOf(second.assignments)).toEqual([early.jobId, b, d].toSorted())
    expect(none.assignments).toEqual([])
    expect(await it.jobs.get(b ?? '')).toMatchObject({ requiredVersion: '2+b', pool: '' })
  },
)

test('versions side by side are not in the way of each other, nor of jobs that require none', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, of('2', { slots: 1, auto: true }))
  await it.jobs.startMany(Array.from({ length: 1_000 }, () => requiring('1', { priority: 1 })))
  const ours = [requiring('2'), job, requiring('2'), job]
  const ids = (await it.jobs.startMany(ours)).map(({ outcome }) =>
    outcome?.$case === 'started' ? outcome.value.jobId : '',
  )
  const { satisfied } = await it.jobs.wait(ids)
  expect(satisfied).toBe(true)
  expect(idsOf(executor.assignments)).toEqual(ids.toSorted())
  await using other = await attachExecutor(it.address, of('1', { auto: true }))
  await other.assigned(1_000)
})

test('a fallback runs by whichever version: the one required was of the other method', async () => {
  await using it = await setup()
  await using executor = await attachExecutor(it.scheduler.address, of('1', { auto: true }))
  const spec = { method: 'test.unknown', fallbackMethod: 'test.job', requiredVersion: '7' }
  const { jobId, completion } = await it.jobs.start(spec, { waitMs: 10_000 })
  expect(completion?.state).toBe(5)
  expect(await it.jobs.get(jobId)).toMatchObject({ requiredVersion: '', method: 'test.job' })
  expect(executor.assignments).toHaveLength(1)
})

test('a job of a pool that requires a version needs both, its pause counts, and so does its pool', async () => {
  await using it = await start()
  using namespaces = connectNamespaces(it.address)
  await using _plain = await attachExecutor(it.address, of('2', { auto: true }))
  await using _old = await attachExecutor(it.address, of('1', { hello: { pools: ['gpu'] } }))
  await namespaces.pausePool('gpu')
  const { jobId } = await it.jobs.start(requiring('2', { pool: 'gpu' }))
  expect(await it.jobs.get(jobId)).toMatchObject({ pool: 'gpu', requiredVersion: '2' })
  const filtered = async (pool: string) =>
    (await it.jobs.list({ text: `pool:${pool}` })).jobs.map((each) => each.jobId)
  expect(await filtered('gpu')).toEqual([jobId])
  expect(await filtered('default')).toEqual([])
  await using executor = await attachExecutor(
    it.address,
    of('2', { hello: { pools: ['gpu', 'default'] }, auto: true }),
  )
  expect(await it.jobs.explain(jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_PAUSED,
    holders: ['gpu'],
  })
  await it.jobs.start(requiring('2', { pool: 'gpu' }))
  expect(executor.assignments).toEqual([])
  await namespaces.resumePool('gpu')
  await executor.assigned(2)
})

test('why none is there is told with the version, and executors and methods tell theirs', async () => {
  await using it = await start()
  using namespaces = connectNamespaces(it.address)
  await using _none = await attachExecutor(it.address)
  await using first = await attachExecutor(it.address, of('1', oneSlot))
  const { jobId } = await it.jobs.start(requiring('2'))
  const { cause, text, executors } = await it.jobs.explain(jobId)
  expect({ cause, text }).toEqual({
    cause: WaitCause.WAIT_CAUSE_NO_EXECUTOR,
    text: 'No executor that runs test.job and announces version 2 of it is attached to namespace default: of test.job the 2 that are there announce version 1, none.',
  })
  expect(executors.map(({ version, hasVersion }) => [version, hasVersion]).toSorted()).toEqual([
    ['', false],
    ['1', false],
  ])
  await it.jobs.start(requiring('1'))
  const waiting = await it.jobs.start(requiring('1'))
  expect(await it.jobs.explain(waiting.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_NO_SLOT,
    holders: [first.sessionId],
    text: expect.stringContaining('in the lane inline by version 1'),
  })
  const { methods } = await namespaces.listMethods()
  expect(methods).toMatchObject([
    { executorCount: 2, versions: [{ version: '1', executorCount: 1 }] },
  ])
  const listed = await namespaces.listExecutors()
  const versions = listed.executors.map((executor) => executor.versions)
  expect(versions).toHaveLength(2)
  expect(versions).toEqual(expect.arrayContaining([{}, { 'test.job': '1' }]))
})

test('a retry, by the policy, after a loss or by hand, keeps to the version; a child inherits none', async () => {
  await using it = await start()
  await using other = await attachExecutor(it.address, of('2', { auto: true }))
  const lost = await attachExecutor(it.address, of('1'))
  const { jobId } = await it.jobs.start(requiring('1'))
  await lost.assigned(1)
  await lost[Symbol.asyncDispose]()
  await using next = await attachExecutor(it.address, of('1'))
  await next.assigned(1)
  const error = { brief: 'no', detail: '', reason: 'X', retryable: false }
  next.say({
    results: [{ jobId, attempt: 2, outcome: { $case: 'failed', value: error } }],
    credits: [{ lane: Lane.LANE_INLINE, slots: 1 }],
  })
  await it.jobs.wait([jobId])
  await it.jobs.retry(jobId)
  expect((await next.assigned(2)).map(({ attempt }) => attempt)).toEqual([2, 3])
  expect(other.assignments).toEqual([])
  const child = await it.jobs.start({ ...job, parentJobId: jobId })
  expect((await it.jobs.get(child.jobId)).requiredVersion).toBe('')
})

test('whoever starts a job anew may say which version it requires from now on, or that none', async () => {
  await using it = await start()
  await using second = await attachExecutor(it.address, of('2', { auto: true }))
  await using gpu = await attachExecutor(
    it.address,
    of('2', { hello: { pools: ['gpu'] }, auto: true }),
  )
  const canceled = async (spec: object) => {
    const { jobId } = await it.jobs.start(requiring('gone', spec))
    await it.jobs.cancel(jobId)
    return jobId
  }
  const [a, b, c] = [await canceled({}), await canceled({ pool: 'gpu' }), await canceled({})]
  for (const requiredVersion of ['a b', '1@2', 'x'.repeat(101)]) {
    const refused = it.jobs.retry(a, { requiredVersion }).then(() => undefined, errorFromStatus)
    expect(await refused).toMatchObject({ violations: [{ field: 'required_version' }] })
  }
  const requestId = 'once'
  expect(await it.jobs.retry(a, { requiredVersion: '2', requestId })).toMatchObject({
    requiredVersion: '2',
    pool: '',
  })
  expect(await second.assigned(1)).toMatchObject([{ jobId: a }])
  // Said again it changes nothing.
  const again = await it.jobs.retry(a, { requiredVersion: '3', requestId })
  expect(again.requiredVersion).toBe('2')
  expect((await it.jobs.retry(b, { requiredVersion: '2' })).pool).toBe('gpu')
  expect(await gpu.assigned(1)).toMatchObject([{ jobId: b }])
  expect(await it.jobs.retry(c)).toMatchObject({ requiredVersion: 'gone' })
  await it.jobs.cancel(c)
  expect(await it.jobs.retry(c, { requiredVersion: '' })).toMatchObject({ requiredVersion: '' })
  expect(await second.assigned(2)).toMatchObject([{}, { jobId: c }])
})

test('whoever starts many jobs anew may say which version all of them require from now on, or that none', async () => {
  await using it = await start()
  await using second = await attachExecutor(it.address, of('2', { auto: true }))
  await using gpu = await attachExecutor(
    it.address,
    of('2', { hello: { pools: ['gpu'] }, auto: true }),
  )
  const bulk = connectBulk(it)
  const canceled = async (label: string, spec: object = {}) => {
    const { jobId } = await it.jobs.start(requiring('gone', { labels: { is: label }, ...spec }))
    await it.jobs.cancel(jobId)
    return jobId
  }
  const [a, b] = [await canceled('other'), await canceled('other', { pool: 'gpu' })]
  const [kept, free] = [await canceled('kept'), await canceled('free')]
  for (const requiredVersion of ['a b', '1@2', 'x'.repeat(101)]) {
    const refused = bulk
      .call('retry', { all: true, validateOnly: true, requiredVersion })
      .then(() => undefined, errorFromStatus)
    expect(await refused).toMatchObject({ violations: [{ field: 'required_version' }] })
  }
  const of2 = { requiredVersion: '2', requestId: 'once' }
  const done = await bulk.run('retry', 'label.is:other', undefined, of2)
  expect(done.result).toEqual({ matched: 2, done: 2, skipped: {} })
  expect(await second.assigned(1)).toMatchObject([{ jobId: a }])
  expect(await gpu.assigned(1)).toMatchObject([{ jobId: b }])
  expect(await it.jobs.get(b)).toMatchObject({ pool: 'gpu', requiredVersion: '2' })
  // Said again it is the same job, and by another version another.
  const again = await bulk.run('retry', 'label.is:other', undefined, of2)
  expect(again.jobId).toBe(done.jobId)
  const reused = { ...of2, requiredVersion: '3' }
  await expect(bulk.run('retry', 'label.is:other', undefined, reused)).rejects.toThrow('once')

  await bulk.run('retry', 'label.is:kept')
  expect(await it.jobs.get(kept)).toMatchObject({ requiredVersion: 'gone' })
  await bulk.run('retry', 'label.is:free', undefined, { requiredVersion: '' })
  expect(await second.assigned(2)).toMatchObject([{}, { jobId: free }])
})

test('limits of a method count the jobs of all its versions, and a paused pool holds them back', async () => {
  await using it = await start()
  using namespaces = connectNamespaces(it.address)
  await using old = await attachExecutor(it.address, of('1'))
  await using executor = await attachExecutor(it.address, of('2'))
  await updateNamespace(it.address, {
    limits: [{ method: 'test.job', maxConcurrency: 1 }],
  })
  await it.jobs.start(requiring('1'))
  const [running] = await old.assigned(1)
  await namespaces.pausePool('default')
  const { jobId } = await it.jobs.start(requiring('2'))
  if (running !== undefined) old.succeed(running)
  await it.jobs.wait([running?.jobId ?? ''])
  expect((await it.jobs.explain(jobId)).cause).toBe(WaitCause.WAIT_CAUSE_PAUSED)
  expect(executor.assignments).toEqual([])
  await namespaces.resumePool('default')
  expect(await executor.assigned(1)).toMatchObject([{ jobId }])
})

test('a schedule starts what it creates by the version, and tells it', async () => {
  await using it = await start()
  const schedules = connectSchedules(it)
  await using _old = await attachExecutor(it.address, of('1'))
  await using executor = await attachExecutor(it.address, of('2', { auto: true }))
  const timing = { $case: 'cron' as const, value: '0 0 1 1 *' }
  const given = requiring('2', { pool: 'default' })
  const made = await schedules.create({ scheduleId: 'yearly', timing, job: given })
  expect(made.job).toMatchObject({ requiredVersion: '2', pool: '' })
  await schedules.trigger({ scheduleId: 'yearly' })
  await executor.assigned(1)
})

test('in the foreground the version of the caller counts, and `auto` goes where it is', async () => {
  await using it = await start()
  const foreground = { hello: { foreground: true } }
  await using caller = await attachExecutor(it.address, of('1', foreground))
  await using executor = await attachExecutor(it.address, of('2'))
  const { sessionId: executorSessionId } = caller
  const mine = await it.jobs.start(requiring('1', { executorSessionId }))
  expect(await caller.assigned(1)).toMatchObject([{ jobId: mine.jobId }])
  expect(await it.jobs.get(mine.jobId)).toMatchObject({ requiredVersion: '1', pool: '' })
  const refused = await it.jobs
    .start(requiring('2', { executorSessionId }))
    .then(() => undefined, errorFromStatus)
  expect(refused).toMatchObject({
    reason: 'EXECUTOR_SESSION_NOT_FOUND',
    message: expect.stringContaining('by version 2'),
    metadata: { required_version: '2' },
  })
  const mode = ExecutionMode.EXECUTION_MODE_AUTO
  const elsewhere = await it.jobs.start(requiring('2', { executorSessionId, mode }))
  expect(await executor.assigned(1)).toMatchObject([{ jobId: elsewhere.jobId }])
  // Nobody on an executor has it.
  const here = await it.jobs.start(requiring('1', { executorSessionId, mode }))
  expect(await caller.assigned(2)).toMatchObject([{}, { jobId: here.jobId }])
})

test('what is no version is refused, naming the field, and so is one in the name of a pool', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const refusal = (spec: object) =>
    it.jobs.start({ ...job, ...spec }).then(() => undefined, errorFromStatus)
  for (const requiredVersion of ['a b', '1@2', 'x'.repeat(101)]) {
    expect(await refusal({ requiredVersion })).toMatchObject({
      reason: 'INVALID_FIELD',
      violations: [{ field: 'required_version' }],
    })
  }
  expect(await refusal({ pool: 'gpu@2' })).toMatchObject({ violations: [{ field: 'pool' }] })
  const wrong = await attachExecutor(it.address, of('a b'))
  expect(wrong.error?.message).toContain('hello.methods[0].version must be 1 to 100 letters')
})
