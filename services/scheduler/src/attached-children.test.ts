/** Attached children (row A5): a job ends with the last of them, whatever becomes of its handler's executor, and of whoever is told. */
import type { Assignment } from '@offstage/proto/executor'
import { DeleteJobRequest, JobState, KeyConflictPolicy } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { createParentStore } from './store/parents.ts'
import { ask } from './testing/ask.ts'
import { connectBulk } from './testing/bulk.ts'
import type { Draft } from './testing/draft.ts'
import { millis } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const job = { method: 'test.job' }
const {
  JOB_STATE_CANCELED: CANCELED,
  JOB_STATE_FAILED: FAILED,
  JOB_STATE_QUEUED: QUEUED,
  JOB_STATE_RUNNING: RUNNING,
  JOB_STATE_SUCCEEDED: SUCCEEDED,
  JOB_STATE_WAITING: WAITING,
} = JobState
const POLICIES = { all: 1, first: 2, ignore: 3 } as const
const LEASE = 800

async function setup() {
  const it = await start({ config: { sessionLeaseMs: LEASE } })
  const executor = await attachExecutor(it.address, { slots: 100 })
  const assignmentOf = async (jobId: string, attempt = 1, of = executor) => {
    const find = () =>
      of.assignments.find((each) => each.jobId === jobId && each.attempt === attempt)
    await until(() => find() !== undefined, { what: `attempt ${attempt} of ${jobId}` })
    return find() as Assignment
  }
  const isIn = (jobId: string, state: JobState) =>
    until(async () => (await it.jobs.get(jobId)).state === state, {
      what: `${jobId} is in state ${state}`,
    })
  return {
    ...it,
    executor,
    assignmentOf,
    isIn,
    /** Lets the newest attempt of each succeed. */
    async succeed(...jobIds: string[]) {
      for (const jobId of jobIds) {
        // Started anew, it is queued first.
        await isIn(jobId, RUNNING)
        const { attempt } = await it.jobs.get(jobId)
        executor.succeed({ ...(await assignmentOf(jobId, attempt)), params: RESULT })
      }
    },
    async fail(jobId: string, retryable = false) {
      await isIn(jobId, RUNNING)
      const { attempt } = await it.jobs.get(jobId)
      await assignmentOf(jobId, attempt)
      const value = { brief: `no ${jobId}`, reason: 'NO', retryable }
      executor.say({
        results: [{ jobId, attempt, outcome: { $case: 'failed' as const, value } }],
        credits: [{ lane: 1, slots: 1 }],
      })
    },
    async family(count: number, spec: Draft<Parameters<typeof it.jobs.start>[0]> = {}) {
      const parent = await it.jobs.start({ ...job, ...spec })
      await assignmentOf(parent.jobId)
      const children: string[] = []
      for (let n = 0; n < count; n += 1) children.push(await attach(parent.jobId))
      return { parent: parent.jobId, children }
    },
    attach,
    async [Symbol.asyncDispose]() {
      executor.cut()
      await it[Symbol.asyncDispose]()
    },
  }
  async function attach(parentJobId: string) {
    return (await it.jobs.start({ ...job, parentJobId, attached: true })).jobId
  }
}

const RESULT = {
  source: { $case: 'inline' as const, value: Buffer.from('"its own"') },
  contentType: '',
}

test('a job whose handler has returned waits for its attached children, held by nobody, and ends with the last, with its own result', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(2, { key: 'k' })
  const [first = '', second = ''] = children
  await it.succeed(parent)
  await it.isIn(parent, WAITING)
  expect(await it.jobs.get(parent)).toMatchObject({
    executorSessionId: '',
    completion: undefined,
    attached: undefined,
    attempts: [{ attempt: 1, outcome: SUCCEEDED }],
  })
  expect((await it.jobs.get(first)).attached).toBe(true)
  await it.jobs.start({ ...job, parentJobId: parent })
  const explained = await it.jobs.explain(parent)
  expect(explained.text).toMatch(/waits for its children, of which job .* has not ended/)
  expect(explained.holders.toSorted()).toEqual(children.toSorted())
  // What its executor says of it now is nobody's word.
  it.executor.say({ waiting: [{ jobId: parent, attempt: 1, waiting: false }] })
  await it.succeed(first)
  await it.jobs.wait([first])
  expect((await it.jobs.get(parent)).state).toBe(WAITING)
  await expect(it.jobs.start({ ...job, key: 'k' })).rejects.toThrow(/key/)
  await it.succeed(second)
  const { statuses } = await it.jobs.wait([parent], { timeoutMs: 10_000 })
  expect(statuses[0]?.completion).toMatchObject({ state: SUCCEEDED, result: RESULT })
  expect(await it.jobs.get(parent)).toMatchObject({ attempts: [{ attempt: 1 }] })
  await it.jobs.start({ ...job, key: 'k' })
})

test('children that end before the handler keep nobody waiting; a job without any ends as ever', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(1)
  await it.succeed(...children)
  await it.jobs.wait(children)
  expect((await it.jobs.get(parent)).state).toBe(RUNNING)
  await it.succeed(parent)
  expect((await it.jobs.wait([parent])).statuses[0]?.state).toBe(SUCCEEDED)
})

test('attached children of attached children nest', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(1)
  const [child = ''] = children
  await it.assignmentOf(child)
  const grandchild = await it.attach(child)
  await it.succeed(parent, child)
  await it.isIn(child, WAITING)
  await it.isIn(parent, WAITING)
  await it.succeed(grandchild)
  await it.jobs.wait([parent], { timeoutMs: 10_000 })
  expect((await it.jobs.get(parent)).state).toBe(SUCCEEDED)
})

test('all: it waits for all of them, fails if any failed, and says which', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(3)
  const [first = '', second = '', third = ''] = children
  await it.succeed(parent)
  await it.fail(first)
  await it.jobs.cancel(second, { reason: 'not wanted', graceMs: 0 })
  await it.isIn(second, CANCELED)
  expect((await it.jobs.get(parent)).state).toBe(WAITING)
  await it.succeed(third)
  await it.isIn(parent, FAILED)
  const { error } = (await it.jobs.get(parent)).completion ?? {}
  expect(error).toMatchObject({ reason: 'ATTACHED_CHILD_FAILED', retryable: false })
  expect(error?.brief).toBe(
    `2 attached children did not succeed, the first: job ${first} (test.job) failed: no ${first}`,
  )
  expect(error?.detail).toBe(
    `job ${first} (test.job) failed: no ${first}\njob ${second} (test.job) was canceled: not wanted`,
  )
})

test('first: it fails with the first, and cancels the others', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(3, { childrenPolicy: POLICIES.first })
  const [first = '', second = '', third = ''] = children
  await it.fail(first)
  await it.jobs.wait([first])
  // Not while its handler runs.
  expect((await it.jobs.get(parent)).state).toBe(RUNNING)
  await it.succeed(parent)
  await it.isIn(parent, FAILED)
  for (const left of [second, third]) {
    await until(async () => (await it.jobs.get(left)).cancelRequested, { what: 'it is canceled' })
  }
  expect((await it.jobs.get(second)).cancelReason).toBe('its parent ended without it')
})

test('ignore: it waits for all of them, and succeeds', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(1, { childrenPolicy: POLICIES.ignore })
  await it.succeed(parent)
  await it.fail(children[0] ?? '')
  await it.isIn(parent, SUCCEEDED)
})

test('a cancel goes for the attached children, and the job is canceled when they have ended', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(1)
  const [child = ''] = children
  await it.succeed(parent)
  await it.isIn(parent, WAITING)
  await it.jobs.cancel(parent, { graceMs: 60_000 })
  await until(() => it.executor.cancels.some(({ jobId }) => jobId === child))
  expect((await it.jobs.get(parent)).state).toBe(WAITING)
  it.executor.say({
    results: [{ jobId: child, attempt: 1, outcome: { $case: 'canceled' as const, value: 'ok' } }],
  })
  await it.isIn(parent, CANCELED)
  await expect(it.attach(parent)).rejects.toThrow(/has ended/)
})

test('its total deadline holds while it waits, and takes the children along', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(1, { deadlines: { total: millis(1_000) } })
  await it.succeed(parent)
  await it.isIn(parent, FAILED)
  expect((await it.jobs.get(parent)).completion?.error?.reason).toBe('TOTAL_DEADLINE_EXCEEDED')
  await until(async () => (await it.jobs.get(children[0] ?? '')).cancelRequested)
})

test('attached children of an attempt that failed are canceled, and count no more for the next', async () => {
  await using it = await setup()
  const retryPolicy = { maxAttempts: 2, initialBackoff: millis(0), jitter: 0 }
  const { parent, children } = await it.family(1, { retryPolicy })
  await it.fail(parent, true)
  await it.assignmentOf(parent, 2)
  const next = await it.attach(parent)
  await it.succeed(parent)
  await it.isIn(parent, WAITING)
  await until(async () => (await it.jobs.get(children[0] ?? '')).cancelRequested)
  await it.succeed(next)
  await it.isIn(parent, SUCCEEDED)
})

test('attached children of an attempt whose executor was lost go on, and count for the next', async () => {
  await using it = await setup()
  const other = await attachExecutor(it.address, { methods: ['test.parent'] })
  const parent = (await it.jobs.start({ method: 'test.parent' })).jobId
  await it.assignmentOf(parent, 1, other)
  const child = await it.attach(parent)
  other.cut()
  await it.isIn(parent, QUEUED)
  const next = await attachExecutor(it.address, { methods: ['test.parent'] })
  next.succeed(await it.assignmentOf(parent, 2, next))
  await it.isIn(parent, WAITING)
  expect(await it.jobs.get(child)).toMatchObject({ state: RUNNING, cancelRequested: false })
  await it.succeed(child)
  await it.isIn(parent, SUCCEEDED)
  next.cut()
})

test('of a child that is started anew its newest end counts; after the end of the parent it is detached', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(2)
  const [first = '', second = ''] = children
  await it.succeed(parent)
  await it.fail(first)
  await it.jobs.wait([first])
  await it.jobs.retry(first)
  await it.succeed(second)
  await it.jobs.wait([second])
  expect((await it.jobs.get(parent)).state).toBe(WAITING)
  await it.fail(first)
  await it.isIn(parent, FAILED)
  await it.jobs.retry(first)
  expect((await it.jobs.get(first)).attached).toBeUndefined()
  // The parent, too: children of before count no more.
  await it.jobs.retry(parent)
  await it.succeed(parent)
  await it.isIn(parent, SUCCEEDED)
  await it.succeed(first)
  await it.isIn(first, SUCCEEDED)
})

test('what nobody was told of is found: a child that ended where nobody said so', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(1)
  await it.succeed(parent)
  await it.isIn(parent, WAITING)
  // As a replica does that dies between the end of the child and that of the parent.
  await it.database.query(
    {
      name: '',
      text: `UPDATE offstage.jobs SET state = 5, finish_time = now() WHERE id = $1`,
    },
    [children[0]],
  )
  await it.isIn(parent, SUCCEEDED)
})

test('a child that did not succeed is not deleted before its parent has failed by it', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(2)
  const [bad = '', slow = ''] = children
  await it.succeed(parent)
  await it.fail(bad)
  await it.isIn(bad, FAILED)
  const remove = () => ask(it.jobs.raw, it.jobs.raw.deleteJob, DeleteJobRequest, { jobId: bad })
  await expect(remove()).rejects.toThrow(
    /the end of its parent, to which it is attached, goes by it/,
  )
  const { result } = await connectBulk(it).run('delete', 'state:failed')
  expect(result).toEqual({ matched: 1, done: 0, skipped: { PARENT_NOT_FINISHED: 1 } })
  await it.succeed(slow)
  await it.isIn(parent, FAILED)
  await remove()
})

test('a start that is attached needs a parent that has not ended', async () => {
  await using it = await setup()
  await expect(it.jobs.start({ ...job, attached: true })).rejects.toThrow(/attached needs a parent/)
  const { parent } = await it.family(0)
  await it.succeed(parent)
  await it.isIn(parent, SUCCEEDED)
  await expect(it.attach(parent)).rejects.toThrow(`job ${parent} has ended`)
  await expect(it.jobs.start({ ...job, childrenPolicy: 9 as never })).rejects.toThrow(
    /children_policy is not a known value/,
  )
})

test('an attached child is not put behind the key of its own parent, which waits for it; a detached one is', async () => {
  await using it = await setup()
  const { jobId } = await it.jobs.start({ ...job, key: 'k' })
  const behind = {
    ...{ ...job, key: 'k', parentJobId: jobId },
    keyConflictPolicy: KeyConflictPolicy.KEY_CONFLICT_POLICY_QUEUE_BEHIND,
  }
  await expect(it.jobs.start({ ...behind, attached: true })).rejects.toThrow(
    `key "k" is held by job ${jobId}, the parent, which keeps it until its attached children have ended`,
  )
  expect((await it.jobs.start(behind)).existing).toBe(false)
  const other = await it.jobs.start({ ...job, method: 'test.job' })
  const further = { ...behind, parentJobId: other.jobId, attached: true }
  expect((await it.jobs.start(further)).existing).toBe(false)
})

test('what was found of a parent ends it only while it has had no further child', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(1)
  await it.succeed(parent)
  await it.isIn(parent, WAITING)
  const store = createParentStore(it.database)
  const [found] = await store.readWaiting([parent])
  const end = { id: parent, attachedCount: 1, state: SUCCEEDED, error: undefined }
  expect(found).toMatchObject({ attachedCount: 1, hasOpen: true })
  const late = await it.attach(parent)
  expect(await store.end([end])).toEqual([])
  await it.succeed(...children, late)
  await it.isIn(parent, SUCCEEDED)
})

test('what was found of a parent ends it not while a child of it that had failed goes on, started anew', async () => {
  await using it = await setup()
  const { parent, children } = await it.family(3)
  const [one = '', several = '', slow = ''] = children
  await it.succeed(parent)
  await it.isIn(parent, WAITING)
  const store = createParentStore(it.database)
  const endBy = async (startAnew: () => Promise<unknown>, child: string) => {
    await it.fail(child)
    await it.isIn(child, FAILED)
    const [found] = await store.readWaiting([parent])
    expect(found).toMatchObject({ hasFailed: true })
    await startAnew()
    const { attachedCount = 0 } = found ?? {}
    return store.end([{ id: parent, attachedCount, state: FAILED, error: undefined }])
  }
  expect(await endBy(() => it.jobs.retry(one), one)).toEqual([])
  const retryAll = () => connectBulk(it).run('retry', 'state:failed')
  expect(await endBy(retryAll, several)).toEqual([])
  await it.succeed(one, several, slow)
  await it.isIn(parent, SUCCEEDED)
})

test('a child that is started anew as its parent ends goes on: attached to one that waits for it, or detached', async () => {
  await using it = await setup()
  for (let round = 0; round < 10; round += 1) {
    const { parent, children } = await it.family(2)
    const [bad = '', last = ''] = children
    await it.succeed(parent)
    await it.isIn(parent, WAITING)
    await it.fail(bad)
    await it.isIn(bad, FAILED)
    const ending = it.succeed(last)
    await it.jobs.retry(bad)
    const { attached } = await it.jobs.get(bad)
    await ending
    await it.jobs.wait([last])
    if (attached) expect((await it.jobs.get(parent)).state).toBe(WAITING)
    await it.succeed(bad)
    await it.isIn(parent, attached ? SUCCEEDED : FAILED)
  }
})

test('a canceled parent that is past its total deadline is not looked for while it waits', async () => {
  await using it = await setup()
  const { parent } = await it.family(1, { deadlines: { total: millis(1_000) } })
  await it.succeed(parent)
  await it.isIn(parent, WAITING)
  await it.jobs.cancel(parent, { graceMs: 60_000 })
  const store = createParentStore(it.database)
  const isOverdue = async () => (await store.readWaiting([parent]))[0]?.isOverdue
  await until(async () => (await isOverdue()) === true, { what: 'its deadline to pass' })
  expect(await store.findDone(10)).toEqual([])
})

test('no parent ends before a child that was attached in time', async () => {
  await using it = await setup()
  for (let round = 0; round < 5; round += 1) {
    const { parent, children } = await it.family(2)
    const late = Promise.allSettled(Array.from({ length: 5 }, () => it.attach(parent)))
    await it.succeed(parent, ...children)
    for (const outcome of await late) {
      if (outcome.status === 'rejected') continue
      expect((await it.jobs.get(parent)).state).not.toBe(SUCCEEDED)
      await it.succeed(outcome.value)
    }
    await it.isIn(parent, SUCCEEDED)
  }
})

test('a hundred attached children in one call, of which each ends, end their parent once', async () => {
  await using it = await setup()
  const { parent } = await it.family(0)
  const specs = Array.from({ length: 90 }, () => ({ ...job, parentJobId: parent, attached: true }))
  const outcomes = await it.jobs.startMany(specs)
  await it.succeed(parent)
  await it.isIn(parent, WAITING)
  await until(() => it.executor.assignments.length === 91)
  const { revision } = await it.jobs.get(parent)
  it.executor.succeed(...it.executor.assignments.slice(1))
  await it.isIn(parent, SUCCEEDED)
  expect((await it.jobs.get(parent)).revision).toBe(revision + 1n)
  expect(outcomes).toHaveLength(90)
})

test('a start that says nothing else begins at once beside an attached one of the same call', async () => {
  await using it = await setup()
  const { parent } = await it.family(0)
  const outcomes = await it.jobs.startMany([{ ...job, parentJobId: parent, attached: true }, job])
  const states = outcomes.map(({ outcome }) =>
    outcome?.$case === 'started' ? outcome.value.state : undefined,
  )
  expect(states).toEqual([RUNNING, RUNNING])
})
