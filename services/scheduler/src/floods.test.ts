/** What one caller floods is waited for by that caller, and by nobody else. */
import { status } from '@grpc/grpc-js'
import { type Database, openPostgres, type Queryable } from '@offstage/kit/database'
import { WatchJobsRequest } from '@offstage/proto/jobs'
import { openStalledReader, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { sharedDatabase } from './store/databases.ts'
import { createFreshDatabase } from './testing/fresh-database.ts'
import { connectLocks } from './testing/locks.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

/** Statements that do not end until they are let, and keep their connections meanwhile. */
function holding(isHeld: (text: string, values: readonly unknown[]) => boolean) {
  const gate = Promise.withResolvers<void>()
  const seen = { held: 0, letAll: gate.resolve }
  const hold = async () => {
    seen.held += 1
    await gate.promise
  }
  const between = (database: Database): Database => ({
    ...database,
    query: (statement, values) =>
      isHeld(statement.text, values ?? [])
        ? database.transaction(async (tx) => {
            await hold()
            return tx.query(statement, values)
          })
        : database.query(statement, values),
    transaction: (work) =>
      database.transaction((tx) => {
        const query: Queryable['query'] = async (statement, values) => {
          if (isHeld(statement.text, values ?? [])) await hold()
          return tx.query(statement, values)
        }
        return work({ query })
      }),
  })
  return { seen, between }
}

test('listings of one caller that never end hold up no job of another', async () => {
  const { seen, between } = holding((text) => /ORDER BY j.id DESC/.test(text))
  await using it = await start({ between })
  await using _executor = await attachExecutor(it.address, { auto: true })
  const mallory = it.as('mallory')
  const listings = Array.from({ length: 1_000 }, () => mallory.list({ key: 'none' }))
  await until(() => seen.held > 0, { what: 'a listing' })
  const ann = it.as('ann')
  for (let i = 0; i < 20; i++) {
    const { completion } = await ann.start({ method: 'test.job' }, { waitMs: 30_000 })
    expect(completion).toBeDefined()
  }
  seen.letAll()
  await Promise.all(listings)
}, 60_000)

test('reads of one caller that never end hold up no job and no read of another', async () => {
  const held = new Set<unknown>()
  const { seen, between } = holding(
    (text, values) => /WHERE j.id = \$2/.test(text) && held.has(values[1]),
  )
  await using it = await start({ between })
  await using _executor = await attachExecutor(it.address, { auto: true })
  const mallory = it.as('mallory')
  const { jobId: id } = await mallory.start({ method: 'test.job' })
  held.add(id)
  const calls = Array.from({ length: 1_000 }, () => mallory.get(id))
  await until(() => seen.held > 0, { what: 'a read' })
  const ann = it.as('ann')
  const job = await ann.start({ method: 'test.job' }, { waitMs: 30_000 })
  expect(await ann.get(job.jobId)).toMatchObject({ owner: 'ann' })
  expect((await ann.list()).jobs).toHaveLength(1)
  seen.letAll()
  await Promise.all(calls)
}, 60_000)

test('a start waits for few of the batches that another caller has waiting before it', async () => {
  const owners: string[] = []
  let holds = true
  const { seen, between } = holding((text, values) => {
    if (!/^\s*(WITH [^;]*)?INSERT INTO offstage.jobs/.test(text)) return false
    owners.push(values.flat().includes('ann') ? 'ann' : 'mallory')
    return holds
  })
  await using it = await start({ between })
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const batch = Array.from({ length: 1_000 }, () => ({ method: 'test.job' }))
  const mallory = it.as('mallory')
  const batches = Array.from({ length: 20 }, () => mallory.startMany(batch, 0))
  await until(() => seen.held === 3, { what: 'three statements in flight' })
  const one = it.as('ann').start({ method: 'test.job' })
  // A call that came after hers has been answered, so hers has been taken in.
  await it.as('ann').list()
  holds = false
  seen.letAll()
  await Promise.all([one, ...batches])
  expect(owners.indexOf('ann')).toBeLessThan(6)
}, 60_000)

test('a caller with too much waiting is told when to come back, and another is served', async () => {
  const { seen, between } = holding((text) => /ORDER BY j.id DESC/.test(text))
  await using it = await start({ between })
  const mallory = it.as('mallory')
  const refused: unknown[] = []
  const listings = Array.from({ length: 2_100 }, () =>
    mallory.list({ key: 'none' }).catch((error: unknown) => refused.push(error)),
  )
  await until(() => refused.length > 0, { what: 'a refusal', timeoutMs: 30_000 })
  expect(refused[0]).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
  seen.letAll()
  expect((await it.as('ann').list()).jobs).toEqual([])
  await Promise.all(listings)
}, 60_000)

test('watches that are never read lose their streams, and hold up no job of another meanwhile', async () => {
  await using it = await start({ config: { slowReaderMs: 1_000 } })
  await using _executor = await attachExecutor(it.address, { auto: true })
  const mallory = it.as('mallory')
  const value = Buffer.from(JSON.stringify('x'.repeat(60_000)))
  const large = { method: 'test.job', params: { source: { $case: 'inline' as const, value } } }
  const outcomes = await mallory.startMany(new Array(40).fill(large), 30_000)
  const add = outcomes.map(({ outcome }) => ({
    jobId: outcome?.$case === 'started' ? outcome.value.jobId : '',
    afterSequence: 0,
  }))
  const request = WatchJobsRequest.encode(WatchJobsRequest.fromPartial({ add })).finish()
  const watch = '/offstage.jobs.v1.JobService/WatchJobs'
  await using open = new AsyncDisposableStack()
  const readers = await Promise.all(
    Array.from({ length: 50 }, () =>
      openStalledReader(it.address, watch, request, { 'offstage-user': 'mallory' }),
    ),
  )
  for (const reader of readers) open.use(reader)
  const ann = it.as('ann')
  const { completion } = await ann.start({ method: 'test.job' }, { waitMs: 30_000 })
  expect(completion).toBeDefined()
  const isReset = () => readers.every(({ stream }) => stream.closed && stream.rstCode === 11)
  await until(isReset, { what: 'resets of all', timeoutMs: 30_000 })
  await ann.start({ method: 'test.job' })
}, 60_000)

test('calls that have all the connections keep nobody who waits for a lock from being heard', async () => {
  await using fresh = await createFreshDatabase()
  const { url } = fresh
  await using calls = await openPostgres({ url, poolSize: 2, transactionIdleMs: 60_000 })
  await using work = await openPostgres({ url, poolSize: 2 })
  const databases = { ...sharedDatabase(work), calls }
  await using it = await start({ database: work, databases })
  using locks = connectLocks(it.address)
  const [leaseId, otherId] = [await locks.createLease('ann'), await locks.createLease('ann')]
  const of = (value: string) => ({ $case: 'leaseId', value }) as const
  await locks.acquire({ name: 'a', holder: of(leaseId) }, 'ann')
  const wait = locks.acquire({ name: 'a', holder: of(otherId), waitMs: 60_000 }, 'ann')
  const seen = async () => {
    const text = 'SELECT seen_time FROM offstage.lock_waits'
    return (await work.query<{ seen_time: Date }>({ name: '', text })).rows[0]?.seen_time
  }
  await until(async () => (await seen()) !== undefined)
  const over = Promise.withResolvers<void>()
  const flood = [1, 2].map(() => calls.transaction(() => over.promise))
  const before = Number(await seen())
  await until(async () => Number(await seen()) > before)
  over.resolve()
  await Promise.all(flood)
  await locks.endLease(leaseId, 'ann')
  await wait
})
