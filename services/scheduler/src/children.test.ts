/** Parents and children (row J11): who may be a parent, and how far a cancel reaches (guarantees 7 and 8). */
import { randomUUID } from 'node:crypto'
import type { Database } from '@offstage/kit/database'
import { JobState, Lane } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const job = { method: 'test.job' }
const { JOB_STATE_CANCELED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED } = JobState

/** Whether a cancel has reached it: one that does not run just then, as where the answer to its start was lost, ends at once. */
async function isReached(it: Awaited<ReturnType<typeof setup>>, { jobId }: { jobId: string }) {
  const { state, cancelRequested } = await it.jobs.get(jobId)
  return cancelRequested || state === JOB_STATE_CANCELED
}

async function setup() {
  const it = await start()
  const executor = await attachExecutor(it.address, { slots: 100 })
  return {
    ...it,
    executor,
    alice: it.as('alice'),
    bob: it.as('bob'),
    async [Symbol.asyncDispose]() {
      executor.cut()
      await it[Symbol.asyncDispose]()
    },
  }
}

test('a cancel that cascades reaches children of children, ended ones in between included', async () => {
  await using it = await setup()
  const root = await it.alice.start(job)
  const child = await it.alice.start({ ...job, parentJobId: root.jobId })
  const grandchild = await it.alice.start({ ...job, parentJobId: child.jobId })
  const assignments = await it.executor.assigned(3)
  it.executor.succeed(...assignments.filter(({ jobId }) => jobId === child.jobId))
  await it.jobs.wait([child.jobId])
  await it.alice.cancel(root.jobId, { cascade: true })
  expect(await isReached(it, grandchild)).toBe(true)
  expect(await it.jobs.get(child.jobId)).toMatchObject({ state: JOB_STATE_SUCCEEDED })
})

test('a parent that waits frees its slot before that is recorded', async () => {
  const opened = Promise.withResolvers<void>()
  const between = (database: Database): Database => ({
    ...database,
    async query(statement, values) {
      if (statement.name === 'set_waitforchildren') await opened.promise
      return database.query(statement, values)
    },
  })
  await using it = await start({ between })
  await using _opening = { [Symbol.asyncDispose]: async () => opened.resolve() }
  await using executor = await attachExecutor(it.address, { slots: 1 })
  const parent = await it.jobs.start(job)
  await executor.assigned(1)
  const child = await it.jobs.start({ ...job, parentJobId: parent.jobId })
  executor.say({
    waiting: [{ jobId: parent.jobId, attempt: 1, waiting: true }],
    credits: [{ lane: Lane.LANE_INLINE, slots: 1 }],
  })
  expect((await executor.assigned(2))[1]).toMatchObject({ jobId: child.jobId })
  opened.resolve()
  const waiting = () => it.jobs.get(parent.jobId).then(({ state }) => state)
  await expect.poll(waiting).toBe(JobState.JOB_STATE_WAITING)
})

test('without a cascade it reaches the children that asked for it', async () => {
  await using it = await setup()
  const root = await it.alice.start(job)
  const bound = await it.alice.start({ ...job, parentJobId: root.jobId, cancelWithParent: true })
  const free = await it.alice.start({ ...job, parentJobId: root.jobId })
  await it.alice.cancel(root.jobId)
  expect(await isReached(it, bound)).toBe(true)
  expect(await isReached(it, free)).toBe(false)
  // Asked for again, now with everything below.
  await it.alice.cancel(root.jobId, { cascade: true })
  expect(await isReached(it, free)).toBe(true)
})

test('a cascade leaves the jobs of other owners alone, unless an administrator asks', async () => {
  await using it = await setup()
  const root = await it.alice.start(job)
  const foreign = await it.jobs.start({ ...job, parentJobId: root.jobId }, { user: 'dev' })
  await it.alice.cancel(root.jobId, { cascade: true })
  expect(await it.jobs.get(foreign.jobId)).toMatchObject({ owner: 'dev' })
  expect(await isReached(it, foreign)).toBe(false)
  await it.jobs.cancel(root.jobId, { cascade: true })
  expect(await isReached(it, foreign)).toBe(true)
})

test('a parent that is missing, foreign or in another namespace is refused, naming the field', async () => {
  await using it = await setup()
  const foreign = await it.alice.start(job)
  await using _elsewhere = await attachExecutor(it.address, { namespace: 'ns2' })
  const elsewhere = await it.bob.start(job, { namespace: 'ns2' })
  for (const parentJobId of [randomUUID(), foreign.jobId, elsewhere.jobId]) {
    await expect(it.bob.start({ ...job, parentJobId })).rejects.toThrow(
      /parent_job_id names no job/,
    )
    await expect(it.bob.start({ ...job, parentJobId, key: 'k' })).rejects.toThrow(/parent_job_id/)
  }
  await expect(it.jobs.start({ ...job, parentJobId: foreign.jobId })).resolves.toBeDefined()
  await it.bob.start({ ...job, key: 'k' })
  for (const keyConflictPolicy of [1, 2, 3] as const) {
    const spec = { ...job, key: 'k', keyConflictPolicy, parentJobId: foreign.jobId }
    await expect(it.bob.start(spec)).rejects.toThrow(/parent_job_id/)
  }
})

test('a parent may have ended: its last act may have been to start the child', async () => {
  await using it = await setup()
  const parent = await it.alice.start(job)
  it.executor.succeed(...(await it.executor.assigned(1)))
  await it.alice.wait([parent.jobId])
  const child = await it.alice.start({ ...job, parentJobId: parent.jobId, cancelWithParent: true })
  expect((await it.executor.assigned(2))[1]?.jobId).toBe(child.jobId)
})

test('a child that comes after the cancel that goes for it is canceled at once, and takes no slot', async () => {
  await using it = await setup()
  const parent = await it.alice.start(job)
  await it.executor.assigned(1)
  await it.alice.cancel(parent.jobId)
  const spec = { ...job, parentJobId: parent.jobId }
  const bound = await it.alice.start({ ...spec, cancelWithParent: true }, { waitMs: 5_000 })
  expect(bound).toMatchObject({
    state: JOB_STATE_CANCELED,
    completion: { state: JOB_STATE_CANCELED, cancelOutcome: 1 },
  })
  const free = await it.alice.start(spec)
  expect(free.state).toBe(JOB_STATE_RUNNING)
  await it.alice.cancel(parent.jobId, { cascade: true })
  expect((await it.alice.start(spec)).state).toBe(JOB_STATE_CANCELED)
  expect((await it.alice.start({ ...spec, parentJobId: free.jobId })).state).toBe(
    JOB_STATE_CANCELED,
  )
  // 100 slots, two of them taken: all the others still take jobs.
  await it.jobs.startMany(Array.from({ length: 98 }, () => job))
  await it.executor.assigned(100)
})

test('no child survives a cascade it raced with', async () => {
  await using it = await setup()
  for (let round = 0; round < 10; round++) {
    const parent = await it.alice.start(job)
    const spec = { ...job, parentJobId: parent.jobId }
    const starts = Array.from({ length: 8 }, () => it.alice.start(spec))
    await it.alice.cancel(parent.jobId, { cascade: true, graceMs: 0 })
    starts.push(it.alice.start(spec))
    for (const child of await Promise.all(starts)) expect(await isReached(it, child)).toBe(true)
  }
})
