/** What is paused begins nowhere, whatever a replica believes; what runs goes on, and nothing is lost (row J20). */
import { createInProcessBus } from '@offstage/kit/bus'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { connectNamespaces } from '../testing/namespaces.ts'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'
import { setup } from '../testing/setup.ts'

const { JOB_STATE_QUEUED: QUEUED, JOB_STATE_RUNNING: RUNNING } = JobState
const job = { method: 'test.job' }

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

test('jobs of a paused method wait, what runs goes on, and a resume lets all run in their order', async () => {
  await using it = await begin()
  const methods = ['test.job', 'test.other']
  await using executor = await attachExecutor(it.address, { methods, slots: 2 })
  const running = await it.jobs.start(job)
  await executor.assigned(1)
  await it.namespaces.pauseMethod('test.job')

  const waiting = [await it.jobs.start(job), await it.jobs.start(job)]
  expect(waiting.map(({ state }) => state)).toEqual([QUEUED, QUEUED])
  // Another method is not concerned; its job would have come after theirs.
  const other = await it.jobs.start({ method: 'test.other' })
  await executor.assigned(2)
  const [, ofOther] = executor.assignments
  if (ofOther !== undefined) executor.succeed(ofOther)
  await it.jobs.wait([other.jobId])
  for (const { jobId } of waiting) expect(await it.jobs.get(jobId)).toMatchObject({ state: QUEUED })

  // One slot is free: of those that are claimed at once any may come first.
  await it.namespaces.resumeMethod('test.job')
  const [, , first] = await executor.assigned(3)
  if (first !== undefined) executor.succeed(first)
  const [, , , second] = await executor.assigned(4)
  expect([first?.jobId, second?.jobId]).toEqual(waiting.map(({ jobId }) => jobId))
  expect((await it.jobs.get(running.jobId)).state).toBe(RUNNING)
})

test('a paused namespace holds back all its methods and no other namespace, and tells so', async () => {
  await using it = await begin()
  await using here = await attachExecutor(it.address)
  await using elsewhere = await attachExecutor(it.address, { namespace: 'elsewhere', auto: true })
  await it.namespaces.pauseNamespace()
  const before = await it.namespaces.get()
  expect(before).toMatchObject({ name: 'default', paused: true })
  // Once more changes nothing.
  await it.namespaces.pauseNamespace()
  expect(await it.namespaces.get()).toEqual(before)
  expect(await it.namespaces.get('elsewhere')).toMatchObject({ paused: false })

  const { state } = await it.jobs.start(job)
  expect(state).toBe(QUEUED)
  await it.jobs.start(job, { namespace: 'elsewhere' })
  await elsewhere.assigned(1)
  expect(here.assignments).toHaveLength(0)

  await it.namespaces.resumeNamespace()
  await here.assigned(1)
  expect(await it.namespaces.get()).toMatchObject({ paused: false })
  expect((await it.namespaces.get())?.etag).not.toBe(before?.etag)
})

test('a method nobody announced is neither paused nor resumed, and its name is told', async () => {
  await using it = await begin()
  for (const call of ['pauseMethod', 'resumeMethod'] as const) {
    await expect(it.namespaces[call]('test.jbo')).rejects.toThrow('"test.jbo"')
    await expect(it.namespaces[call]('')).rejects.toThrow('method')
  }
})

test('a replica that has heard nothing of a pause lets no job of the method begin', async () => {
  await using it = await begin()
  // It gets no hints, and reads the gates at its start and never again.
  await using bus = createInProcessBus()
  const config = { claimSweepMs: 600_000 }
  await using deaf = await setup({ database: it.database, bus, config })
  await using executor = await attachExecutor(deaf.scheduler.address, { auto: true })
  await until(async () => (await deaf.jobs.start(job)).state === RUNNING, { what: 'the gates' })
  await it.namespaces.pauseMethod('test.job')
  const plain = await deaf.jobs.start(job)
  const careful = await deaf.jobs.start({ ...job, labels: { a: 'b' } })
  expect([plain.state, careful.state]).toEqual([QUEUED, QUEUED])
  const begun = executor.assignments.map(({ jobId }) => jobId)
  expect(begun).not.toContain(plain.jobId)
  expect(begun).not.toContain(careful.jobId)
})

test('a replica that gets no hints learns of a resume at its next reading', async () => {
  await using it = await begin()
  await using bus = createInProcessBus()
  const config = { claimSweepMs: 100 }
  await using deaf = await setup({ database: it.database, bus, config })
  // Room for all that are started until it has read them.
  await using executor = await attachExecutor(deaf.scheduler.address, { slots: 1_000 })
  await it.namespaces.pauseMethod('test.job')
  const { jobId } = await deaf.jobs.start(job)
  await it.namespaces.resumeMethod('test.job')
  await executor.assigned(1)
  await until(async () => (await deaf.jobs.start(job)).state === RUNNING, { what: 'eager again' })
  expect(executor.assignments[0]?.jobId).toBe(jobId)
})

test('no job begins after a pause was acknowledged, however many start on two replicas meanwhile', async () => {
  await using bus = createInProcessBus()
  await using it = await begin({ bus })
  await using second = await setup({ database: it.database, bus, config: { claimSweepMs: 50 } })
  const executors = [
    await attachExecutor(it.address, { auto: true, slots: 20 }),
    await attachExecutor(second.scheduler.address, { auto: true, slots: 20 }),
  ]
  await using _first = executors[0]
  await using _second = executors[1]
  let going = true
  const ids: string[] = []
  const keepStarting = async (jobs: typeof it.jobs, labels: Record<string, string>) => {
    while (going) {
      const outcomes = await jobs.startMany(Array.from({ length: 30 }, () => ({ ...job, labels })))
      for (const { outcome } of outcomes) {
        if (outcome?.$case === 'started') ids.push(outcome.value.jobId)
      }
    }
  }
  const begun = async () => {
    const { rows } = await it.database.query<{ id: string }>({
      name: '',
      text: 'SELECT id FROM offstage.jobs WHERE attempt > 0',
    })
    return new Set(rows.map(({ id }) => id))
  }
  const callers = [keepStarting(it.jobs, {}), keepStarting(second.jobs, { a: 'b' })]
  for (let round = 0; round < 4; round++) {
    await it.namespaces.pauseMethod('test.job')
    const atPause = await begun()
    const started = ids.length
    // Both replicas have gone on starting, and the sweeps have come by.
    await until(() => ids.length > started + 200, { what: 'starts go on' })
    expect([...(await begun())].filter((id) => !atPause.has(id))).toEqual([])
    await it.namespaces.resumeMethod('test.job')
    await until(async () => (await begun()).size > atPause.size, { what: 'jobs begin again' })
  }
  going = false
  await Promise.all(callers)
  const last = ids.slice(-1_000)
  const haveEnded = async () => (await it.jobs.wait(last, { timeoutMs: 10_000 })).satisfied
  await until(haveEnded, { what: 'the end of all', timeoutMs: 60_000 })
})

test('a pause that is to cancel what runs cancels that of its method, or of its namespace, and no more', async () => {
  await using it = await begin()
  const methods = ['test.job', 'test.other']
  await using executor = await attachExecutor(it.address, { methods })
  await using elsewhere = await attachExecutor(it.address, { namespace: 'elsewhere' })
  const started = [await it.jobs.start(job), await it.as('ann').start(job)]
  const other = await it.jobs.start({ method: 'test.other' })
  await it.jobs.start(job, { namespace: 'elsewhere' })
  await executor.assigned(3)
  await elsewhere.assigned(1)
  await it.namespaces.pauseMethod('test.job', '', true)
  const canceled = () => executor.cancels.map(({ jobId }) => jobId).toSorted()
  const own = started.map(({ jobId }) => jobId).toSorted()
  await until(() => canceled().length >= 2, { what: 'the cancels' })
  expect(canceled()).toEqual(own)
  expect(executor.cancels[0]?.reason).toBe('the method was paused, and what ran was to end')
  await it.namespaces.pauseNamespace('', true)
  await until(() => canceled().length >= 3, { what: 'the cancel of the other' })
  expect(canceled()).toEqual([...own, other.jobId].toSorted())
  expect(elsewhere.cancels).toEqual([])
})
