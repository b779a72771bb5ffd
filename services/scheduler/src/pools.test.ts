/** A job of a pool runs where its pool is served, and nowhere else (row J21). */
import { Lane, WaitCause } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

const job = { method: 'test.job' }
const gpu = { ...job, pool: 'gpu' }
const serving = (...pools: readonly string[]) => ({ hello: { pools } })

test.for([
  ['PGlite', setup],
  ['PostgreSQL', start],
] as const)('a job runs on executors of its pool and on no other, on %s', async ([, begin]) => {
  await using it = await begin()
  const { address } = it.scheduler
  await using plain = await attachExecutor(address, { auto: true })
  await using gpus = await attachExecutor(address, { auto: true, ...serving('gpu') })
  // At once, where there is a free slot.
  const waited = await Promise.all([gpu, job, { ...job, pool: 'default' }, gpu].map(run))
  expect(waited.map(({ completion }) => completion?.state)).toEqual([5, 5, 5, 5])
  const of = (executor: typeof plain) => executor.assignments.map(({ jobId }) => jobId)
  const ids = waited.map(({ jobId }) => jobId)
  expect(of(gpus).toSorted()).toEqual([ids[0], ids[3]].toSorted())
  expect(of(plain).toSorted()).toEqual([ids[1], ids[2]].toSorted())
  expect((await it.jobs.get(ids[0] ?? '')).pool).toBe('gpu')
  expect((await it.jobs.get(ids[2] ?? '')).pool).toBe('')
  function run(spec: typeof job) {
    return it.jobs.start(spec, { waitMs: 10_000 })
  }
})

test('what is queued is claimed by an executor of its pool when one comes, best first over all it serves', async () => {
  await using it = await start()
  await using _plain = await attachExecutor(it.address, { slots: 0, auto: true })
  const ids: string[] = []
  for (const [pool, priority] of [
    ['gpu', 0],
    ['', 5],
    ['gpu', 7],
    ['tpu', 9],
  ] as const) {
    ids.push((await it.jobs.start({ ...job, pool, priority })).jobId)
  }
  const both = { pools: ['gpu', 'default'], lanes: [{ lane: 1, slots: 1 }] } as const
  await using executor = await attachExecutor(it.address, { slots: 1, auto: true, hello: both })
  await it.jobs.wait(ids.slice(0, 3))
  expect(executor.assignments.map(({ jobId }) => jobId)).toEqual([ids[2], ids[1], ids[0]])
  expect((await it.jobs.get(ids[3] ?? '')).state).toBe(2)
})

test('a thousand jobs of another pool that came first are not in the way of the default one', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { auto: true })
  await it.jobs.startMany(Array.from({ length: 1_000 }, () => ({ ...gpu, priority: 1 })))
  const { jobId } = await it.jobs.start(job, { waitMs: 10_000 })
  expect(executor.assignments.map((assignment) => assignment.jobId)).toEqual([jobId])
})

test('a job whose executor was lost, or failed it, goes back to its pool', async () => {
  await using it = await start()
  await using _plain = await attachExecutor(it.address, { auto: true })
  const lost = await attachExecutor(it.address, serving('gpu'))
  const retryPolicy = { maxAttempts: 3, initialBackoff: { seconds: 0n, nanos: 1 } }
  const { jobId } = await it.jobs.start({ ...gpu, retryPolicy })
  await lost.assigned(1)
  await lost[Symbol.asyncDispose]()
  await using next = await attachExecutor(it.address, serving('gpu'))
  await next.assigned(1)
  const error = { brief: 'no', detail: '', reason: 'X', retryable: true }
  next.say({
    results: [{ jobId, attempt: 2, outcome: { $case: 'failed', value: error } }],
    credits: [{ lane: 1, slots: 1 }],
  })
  const assigned = await next.assigned(2)
  expect(assigned.map((assignment) => assignment.attempt)).toEqual([2, 3])
  expect((await it.jobs.get(jobId)).attempts).toMatchObject([{ lane: 1 }, { lane: 1 }, { lane: 1 }])
})

test('a job whose pool nobody serves is told so, with the pool, and executors tell theirs', async () => {
  await using it = await start()
  using namespaces = connectNamespaces(it.address)
  await using _plain = await attachExecutor(it.address)
  const both = { pools: ['gpu', 'default'], lanes: [{ lane: Lane.LANE_INLINE, slots: 1 }] }
  await using gpus = await attachExecutor(it.address, { slots: 1, hello: both })
  const tpu = await it.jobs.start({ ...job, pool: 'tpu' })
  expect(await it.jobs.explain(tpu.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_NO_EXECUTOR,
    text: 'No executor that runs test.job and serves the pool tpu is attached to namespace default: the 2 that run it serve other pools.',
  })
  await it.jobs.start(gpu)
  await it.jobs.start(gpu)
  const other = await it.jobs.start(gpu)
  expect(await it.jobs.explain(other.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_NO_SLOT,
    holders: [gpus.sessionId],
    text: expect.stringMatching(
      /^It waits behind 1 job of test\.job for the one slot in the lane inline of the pool gpu; /,
    ),
    ahead: 1,
  })
  const { executors } = await namespaces.listExecutors()
  expect(executors.map(({ pools }) => pools).toSorted()).toEqual([['default'], ['gpu', 'default']])
})

test('a pool that has no right name is refused, naming the field', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  await expect(it.jobs.start({ ...job, pool: 'a b' })).rejects.toThrow(/pool must be 1 to 63/)
  const wrong = async (...pools: readonly string[]) =>
    (await attachExecutor(it.address, serving(...pools))).error?.message
  expect(await wrong('gpu', '')).toContain('hello.pools[1] must not be empty')
  expect(await wrong('gpu', 'gpu')).toContain('hello.pools[1] is gpu once more')
  expect(await wrong('a,b')).toContain('hello.pools[0] must be 1 to 63 letters')
  expect(await wrong(...Array.from({ length: 101 }, (_, n) => `${n}`))).toContain('at most 100')
})
