/** What is of a paused pool begins nowhere, whatever its method and whatever a replica believes (row J20). */
import { createInProcessBus } from '@offstage/kit/bus'
import { JobState, WaitCause } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { connectNamespaces } from '../testing/namespaces.ts'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'
import { setup } from '../testing/setup.ts'
import { updateNamespace } from '../testing/update-namespace.ts'

const { JOB_STATE_QUEUED: QUEUED, JOB_STATE_RUNNING: RUNNING } = JobState
const job = { method: 'test.job' }
const gpu = { ...job, pool: 'gpu' }
const both = { hello: { pools: ['gpu', 'default'] } }

async function begin(options: Parameters<typeof start>[0] = {}) {
  const it = await start(options)
  const namespaces = connectNamespaces(it.address)
  return {
    ...it,
    namespaces,
    async [Symbol.asyncDispose]() {
      namespaces[Symbol.dispose]()
      await it[Symbol.asyncDispose]()
    },
  }
}

test.for([
  ['PGlite', setup],
  ['PostgreSQL', start],
] as const)(
  'jobs of a paused pool wait, those of others begin, and a resume lets all run in their order, on %s',
  async ([, setUp]) => {
    await using it = await setUp()
    const { address } = it.scheduler
    using namespaces = connectNamespaces(address)
    const methods = ['test.job', 'test.other']
    await using executor = await attachExecutor(address, { ...both, methods, slots: 2 })
    const running = await it.jobs.start(gpu)
    await executor.assigned(1)
    await namespaces.pausePool('gpu')
    await namespaces.pausePool('gpu')
    const waiting = [
      await it.jobs.start(gpu),
      await it.jobs.start({ ...gpu, method: 'test.other' }),
    ]
    expect(waiting.map(({ state }) => state)).toEqual([QUEUED, QUEUED])
    const other = await it.jobs.start(job)
    await executor.assigned(2)
    const [, ofOther] = executor.assignments
    if (ofOther !== undefined) executor.succeed(ofOther)
    await it.jobs.wait([other.jobId])
    for (const { jobId } of waiting)
      expect(await it.jobs.get(jobId)).toMatchObject({ state: QUEUED })
    // One slot is free: of those that are claimed at once any may come first.
    await namespaces.resumePool('gpu')
    const [, , first] = await executor.assigned(3)
    if (first !== undefined) executor.succeed(first)
    const [, , , second] = await executor.assigned(4)
    expect([first?.jobId, second?.jobId]).toEqual(waiting.map(({ jobId }) => jobId))
    expect((await it.jobs.get(running.jobId)).state).toBe(RUNNING)
  },
)

test('the default pool is paused by its name, and no other with it', async () => {
  await using it = await begin()
  await using executor = await attachExecutor(it.address, both)
  await it.namespaces.pausePool('default')
  expect((await it.jobs.start(job)).state).toBe(QUEUED)
  expect((await it.jobs.start({ ...job, pool: 'default' })).state).toBe(QUEUED)
  const { jobId } = await it.jobs.start(gpu)
  expect((await executor.assigned(1)).map((assignment) => assignment.jobId)).toEqual([jobId])
  await it.namespaces.resumePool('default')
  await executor.assigned(3)
})

test('limited methods begin no job of a paused pool, by turns of a key or not', async () => {
  await using it = await begin()
  const methods = ['test.job', 'test.keyed']
  await using executor = await attachExecutor(it.address, { ...both, methods, slots: 8 })
  const limits = [
    { method: 'test.job', maxConcurrency: 2 },
    { method: 'test.keyed', maxConcurrency: 2, keyExpression: 'owner' },
  ]
  await updateNamespace(it.address, { limits }, { mask: ['limits'] })
  await it.namespaces.pausePool('gpu')
  for (const method of methods) await it.jobs.start({ ...gpu, method, priority: 9 })
  for (const method of methods) await it.jobs.start({ ...job, method })
  const begun = async () => (await executor.assigned(2)).map(({ method }) => method).toSorted()
  expect(await begun()).toEqual(methods)
  const explained = await it.jobs.explain((await it.jobs.start(gpu)).jobId)
  expect(explained.cause).toBe(WaitCause.WAIT_CAUSE_PAUSED)
  await it.namespaces.resumePool('gpu')
  await executor.assigned(4)
})

test('a paused pool is told with the settings, and by the job that waits for it', async () => {
  await using it = await begin()
  await using _executor = await attachExecutor(it.address, both)
  const before = await it.namespaces.get()
  expect(before).toMatchObject({ pausedPools: [], paused: false })
  await it.namespaces.pausePool('gpu')
  await it.namespaces.pausePool('eu')
  expect(await it.namespaces.get()).toMatchObject({ pausedPools: ['eu', 'gpu'], paused: false })
  expect((await it.namespaces.get())?.etag).not.toBe(before?.etag)
  expect(await it.namespaces.get('elsewhere')).toMatchObject({ pausedPools: [] })
  const { jobId } = await it.jobs.start(gpu)
  expect(await it.jobs.explain(jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_PAUSED,
    text: expect.stringMatching(/^The pool gpu was paused by dev at 2.*Z\.$/),
    holders: ['gpu'],
  })
  // The namespace comes before the pool, and that before the method.
  await it.namespaces.pauseMethod('test.job')
  expect(await it.jobs.explain(jobId)).toMatchObject({ holders: ['gpu'] })
  await it.namespaces.pauseNamespace()
  expect(await it.jobs.explain(jobId)).toMatchObject({ holders: ['default'] })
  await it.namespaces.resumePool('eu')
  await it.namespaces.resumePool('gpu')
  expect(await it.namespaces.get()).toMatchObject({ pausedPools: [], paused: true })
})

test('a pool that is not named, or by no right name, is refused', async () => {
  await using it = await begin()
  for (const call of ['pausePool', 'resumePool'] as const) {
    await expect(it.namespaces[call]('')).rejects.toThrow('pool must not be empty')
    await expect(it.namespaces[call]('a b')).rejects.toThrow('pool must be 1 to 63 letters')
  }
})

test('a replica that has heard nothing of a pause lets no job of the pool begin', async () => {
  await using it = await begin()
  // It gets no hints, and reads the gates at its start and never again.
  await using bus = createInProcessBus()
  const config = { claimSweepMs: 600_000 }
  await using deaf = await setup({ database: it.database, bus, config })
  await using executor = await attachExecutor(deaf.scheduler.address, { ...both, auto: true })
  await until(async () => (await deaf.jobs.start(gpu)).state === RUNNING, { what: 'the gates' })
  await it.namespaces.pausePool('gpu')
  const { jobId, state } = await deaf.jobs.start(gpu)
  expect(state).toBe(QUEUED)
  await deaf.jobs.start(job, { waitMs: 10_000 })
  expect(executor.assignments.map((assignment) => assignment.jobId)).not.toContain(jobId)
})

test('no job begins after the pause of its pool was acknowledged, however many start on two replicas meanwhile', async () => {
  await using bus = createInProcessBus()
  await using it = await begin({ bus })
  await using second = await setup({ database: it.database, bus, config: { claimSweepMs: 50 } })
  const options = { ...both, auto: true, slots: 20 }
  await using _first = await attachExecutor(it.address, options)
  await using _second = await attachExecutor(second.scheduler.address, options)
  let going = true
  const ids: string[] = []
  const keepStarting = async (jobs: typeof it.jobs, pool: string) => {
    while (going) {
      const outcomes = await jobs.startMany(Array.from({ length: 30 }, () => ({ ...job, pool })))
      for (const { outcome } of outcomes) {
        if (outcome?.$case === 'started') ids.push(outcome.value.jobId)
      }
    }
  }
  const begun = async (condition: string) => {
    const { rows } = await it.database.query<{ id: string }>({
      name: '',
      text: `SELECT id FROM offstage.jobs WHERE attempt > 0 AND ${condition}`,
    })
    return new Set(rows.map(({ id }) => id))
  }
  const ofGpu = () => begun("pool = 'gpu'")
  const ofDefault = () => begun('pool IS NULL')
  const callers = [it.jobs, second.jobs].flatMap((jobs) => [
    keepStarting(jobs, 'gpu'),
    keepStarting(jobs, ''),
  ])
  for (let round = 0; round < 4; round++) {
    const pool = round % 2 === 0 ? 'gpu' : 'default'
    const [held, open] = round % 2 === 0 ? [ofGpu, ofDefault] : [ofDefault, ofGpu]
    await it.namespaces.pausePool(pool)
    const atPause = await held()
    const others = (await open()).size
    const started = ids.length
    // Both replicas have gone on starting, and jobs of the other pool beginning.
    await until(() => ids.length > started + 200, { what: 'starts go on' })
    await until(async () => (await open()).size > others, { what: 'the other pool goes on' })
    expect([...(await held())].filter((id) => !atPause.has(id))).toEqual([])
    await it.namespaces.resumePool(pool)
    await until(async () => (await held()).size > atPause.size, { what: 'jobs begin again' })
  }
  going = false
  await Promise.all(callers)
  const last = ids.slice(-1_000)
  const haveEnded = async () => (await it.jobs.wait(last, { timeoutMs: 10_000 })).satisfied
  await until(haveEnded, { what: 'the end of all', timeoutMs: 60_000 })
})

test('a pause of a pool that is to cancel what runs cancels that of the pool, and no more', async () => {
  await using it = await begin()
  await using executor = await attachExecutor(it.address, { ...both, slots: 3 })
  const started = [await it.jobs.start(gpu), await it.as('ann').start(gpu)]
  await it.jobs.start(job)
  await executor.assigned(3)
  await it.namespaces.pausePool('gpu', '', true)
  await until(() => executor.cancels.length >= 2, { what: 'the cancels' })
  expect(executor.cancels.map(({ jobId }) => jobId).toSorted()).toEqual(
    started.map(({ jobId }) => jobId).toSorted(),
  )
  expect(executor.cancels[0]?.reason).toBe('the pool was paused, and what ran was to end')
})
