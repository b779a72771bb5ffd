/** Waits for locks that would never end are refused, and say who waits for what (row E3). */
import { status } from '@grpc/grpc-js'
import { LockMode, type StartedJob } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectLocks } from './testing/locks.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const stack = new AsyncDisposableStack()
let it: Awaited<ReturnType<typeof start>>
let locks: ReturnType<typeof connectLocks>
let executor: ScriptedExecutor
let count = 0

beforeAll(async () => {
  it = stack.use(await start())
  locks = stack.use(connectLocks(it.address))
  const methods = ['test.job', 'test.one']
  executor = stack.use(await attachExecutor(it.address, { slots: 1_000, methods }))
})
afterAll(() => stack.disposeAsync())

const newName = () => `accounts/${++count}`

async function running(spec: object = {}, user = 'ann'): Promise<StartedJob> {
  const job = await it.as(user).start({ method: 'test.job', ...spec })
  await until(() => executor.assignments.some(({ jobId }) => jobId === job.jobId))
  return job
}

const take = (job: { readonly jobId: string }, name: string, asked: object = {}, user = 'ann') =>
  locks.acquire({ name, holder: { $case: 'jobId', value: job.jobId }, ...asked }, user)
/** Ends with the lock or the refusal. */
const wait = (job: { readonly jobId: string }, name: string, user = 'ann') =>
  take(job, name, { waitMs: 60_000 }, user).then(
    () => undefined,
    (error: { code: number; details: string }) => `${status[error.code]} ${error.details}`,
  )

async function untilWaiting(name: string, wanted = 1): Promise<void> {
  const text = 'SELECT count(*)::int AS n FROM offstage.lock_waits WHERE name = $1'
  const counted = () => it.database.query<{ n: number }>({ name: '', text }, [name])
  await until(async () => (await counted()).rows[0]?.n === wanted, { what: `a wait for ${name}` })
}

async function waitsForChildren({ jobId }: StartedJob): Promise<void> {
  executor.say({ waiting: [{ jobId, attempt: 1, waiting: true }] })
  const state = 4
  await until(async () => (await it.jobs.get(jobId)).state === state)
}

async function waitsNoMore({ jobId }: StartedJob): Promise<void> {
  executor.say({ waiting: [{ jobId, attempt: 1, waiting: false }] })
  await until(async () => (await it.jobs.get(jobId)).state === 3)
}

function end(...jobs: readonly { readonly jobId: string }[]): void {
  const ids = jobs.map(({ jobId }) => jobId)
  executor.succeed(...executor.assignments.filter(({ jobId }) => ids.includes(jobId)))
}

test('two that hold what the other wants: the second is refused, the first gets it', async () => {
  const [a, b] = [newName(), newName()]
  const [one, two] = [await running(), await running()]
  await take(one, a)
  await take(two, b)
  const first = wait(one, b)
  await untilWaiting(b)
  const refusal = await wait(two, a)
  expect(refusal).toBe(
    `ABORTED this wait would never end: you would wait for the lock "${a}" that job ${one.jobId} holds or is to have first, ` +
      `job ${one.jobId} waits for the lock "${b}" that you hold or are to have first; give back what you hold, and take it all at once`,
  )
  end(two)
  expect(await first).toBeUndefined()
})

test('three in a circle: the last is refused, and all three are named', async () => {
  const names = [newName(), newName(), newName()] as const
  const jobs = [await running(), await running(), await running()] as const
  for (const n of [0, 1, 2] as const) await take(jobs[n], names[n])
  const first = wait(jobs[0], names[1])
  await untilWaiting(names[1])
  const second = wait(jobs[1], names[2])
  await untilWaiting(names[2])
  const refusal = await wait(jobs[2], names[0])
  for (const { jobId } of [jobs[0], jobs[1]]) expect(refusal).toContain(jobId)
  for (const name of names) expect(refusal).toContain(`"${name}"`)
  end(jobs[2])
  expect(await second).toBeUndefined()
  end(jobs[1])
  expect(await first).toBeUndefined()
})

test('whoever holds a lock does not wait for itself', async () => {
  const name = newName()
  const job = await running()
  await take(job, name)
  expect(await wait(job, name)).toContain('that you hold')
  const shared = newName()
  await take(job, shared, { mode: LockMode.LOCK_MODE_SHARED })
  expect(await wait(job, shared)).toContain('that you hold')
})

test('a child that wants the lock of its parent, which waits for it, is refused', async () => {
  const name = newName()
  const parent = await running()
  await take(parent, name)
  const child = await running({ parentJobId: parent.jobId })
  await waitsForChildren(parent)
  expect(await wait(child, name)).toContain(`job ${parent.jobId} waits for you as its child`)
})

test('a parent that begins to wait for its child only then closes the circle, and it is found', async () => {
  const name = newName()
  const parent = await running()
  await take(parent, name)
  const child = await running({ parentJobId: parent.jobId })
  const grandchild = await running({ parentJobId: child.jobId })
  const refusal = wait(grandchild, name)
  await untilWaiting(name)
  await waitsForChildren(child)
  await waitsForChildren(parent)
  expect(await refusal).toContain(`job ${child.jobId} waits for you as its child`)
})

/** A parent with a lock that waits for two children, of which one will want the lock. */
async function family() {
  const name = newName()
  const parent = await running()
  await take(parent, name)
  const wanting = await running({ parentJobId: parent.jobId })
  const free = await running({ parentJobId: parent.jobId })
  await waitsForChildren(parent)
  return { name, parent, wanting, free }
}

test('a parent of which another child can still end is in no circle, until that has ended', async () => {
  const { name, parent, wanting, free } = await family()
  const refusal = wait(wanting, name)
  await untilWaiting(name)
  end(free)
  expect(await refusal).toContain(`job ${parent.jobId} waits for you as its child`)
})

test('a parent of which a child has just ended may not have heard of it yet, and is in no circle', async () => {
  const { name, parent, wanting, free } = await family()
  end(free)
  await until(async () => (await it.jobs.get(free.jobId)).state === 5)
  const text = `UPDATE offstage.jobs SET finish_time = now() + interval '1 hour' WHERE id = $1`
  await it.database.query({ name: '', text }, [free.jobId])
  const granted = wait(wanting, name)
  await untilWaiting(name)
  await waitsNoMore(parent)
  end(parent)
  expect(await granted).toBeUndefined()
})

test('one whose key a child of the holder waits for is refused', async () => {
  const name = newName()
  const keyed = await running({ key: name })
  const parent = await running()
  await take(parent, name)
  await it.as('ann').start({
    ...{ method: 'test.job', key: name, keyConflictPolicy: 3, parentJobId: parent.jobId },
  })
  await waitsForChildren(parent)
  const refusal = await wait(keyed, name)
  expect(refusal).toContain(`waits for the key "${name}"`)
  expect(refusal).toContain(`job ${parent.jobId}`)
})

test('one that has the only place of a limit a child of the holder waits for is refused', async () => {
  const name = newName()
  await updateNamespace(it.address, { limits: [{ method: 'test.one', maxConcurrency: 1 }] })
  const limited = await running({ method: 'test.one' })
  const parent = await running()
  await take(parent, name)
  const child = await it.as('ann').start({ method: 'test.one', parentJobId: parent.jobId })
  await waitsForChildren(parent)
  const refusal = await wait(limited, name)
  expect(refusal).toContain(`job ${child.jobId} waits for a place in the limits of test.one`)
  // With a place that somebody else has, it will go on.
  await updateNamespace(it.address, { limits: [{ method: 'test.one', maxConcurrency: 2 }] })
  await until(() => executor.assignments.some(({ jobId }) => jobId === child.jobId))
  await it.as('ann').start({ method: 'test.one', parentJobId: parent.jobId })
  const granted = wait(limited, name)
  await untilWaiting(name)
  end(child)
  await waitsNoMore(parent)
  end(parent)
  expect(await granted).toBeUndefined()
})

test('a line is no circle, however long', async () => {
  const name = newName()
  const holder = await running()
  await take(holder, name)
  const jobs = await Promise.all(Array.from({ length: 5 }, () => running()))
  const waits = jobs.map(async (job) => {
    expect(await wait(job, name)).toBeUndefined()
    end(job)
  })
  await untilWaiting(name, 5)
  end(holder)
  await Promise.all(waits)
})

test('who stands behind somebody in line waits for them, too', async () => {
  const [a, b] = [newName(), newName()]
  const [holder, first, second] = [await running(), await running(), await running()]
  await take(holder, a)
  await take(second, b)
  // Waits for both, and has the first turn for either.
  const both = take(first, a, { names: [b], waitMs: 60_000 })
  await untilWaiting(a)
  expect(await wait(second, a)).toContain(`job ${first.jobId} waits for the lock "${b}"`)
  end(holder, second)
  await both
})

test('what jobs of others wait for is told without their ids', async () => {
  const [a, b] = [newName(), newName()]
  const [own, foreign] = [await running(), await running({}, 'bob')]
  await take(own, a)
  await take(foreign, b, {}, 'bob')
  const first = wait(foreign, a, 'bob')
  await untilWaiting(a)
  const refusal = await wait(own, b)
  expect(refusal).toContain('a job of bob waits for')
  expect(refusal).not.toContain(foreign.jobId)
  end(own)
  expect(await first).toBeUndefined()
})

test('what others have to do with alone is told without its name', async () => {
  const [a, b, secret] = [newName(), newName(), newName()]
  const own = await running()
  const [bobs, carols] = [await running({}, 'bob'), await running({}, 'carol')]
  await take(own, a)
  await take(carols, b, {}, 'carol')
  await take(bobs, secret, {}, 'bob')
  const first = wait(bobs, a, 'bob')
  await untilWaiting(a)
  const second = wait(carols, secret, 'carol')
  await untilWaiting(secret)
  const refusal = await wait(own, b)
  expect(refusal).toContain('a job of carol waits for a lock that a job of bob holds')
  expect(refusal).not.toContain(secret)
  end(own)
  expect(await first).toBeUndefined()
  end(bobs)
  expect(await second).toBeUndefined()
})
