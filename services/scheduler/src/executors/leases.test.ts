/** Executors that live keep their jobs, whatever holds their leases up; and a lease that was lost leaves no job behind. */
import { randomUUID } from 'node:crypto'
import { type Database, openPostgres } from '@offstage/kit/database'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { createFreshDatabase } from '../testing/fresh-database.ts'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'

const job = { method: 'test.job' }
const LEASE_MS = 600
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const succeeded = { $case: 'succeeded' as const, value: {} }

/** Statements of before wait at the gate while it is shut; then they go in any order, the newest first. */
function gate() {
  let shut = false
  let waiting: (() => void)[] = []
  const pass = async <T>(run: () => Promise<T>): Promise<T> => {
    if (shut) await new Promise<void>((resolve) => waiting.unshift(resolve))
    return run()
  }
  const between = (database: Database): Database => ({
    ...database,
    query: (statement, values) => pass(() => database.query(statement, values)),
    transaction: (work) => pass(() => database.transaction(work)),
  })
  const stall = async (ms: number) => {
    shut = true
    await pause(ms)
    shut = false
    for (const go of waiting) go()
    waiting = []
  }
  return { between, stall }
}

const holdRows = (database: Database, ms: number) =>
  database.transaction(async (tx) => {
    await tx.query({ name: '', text: 'SELECT FROM offstage.attachments FOR UPDATE' })
    await pause(ms)
  })

test.each([1.3, 1.9, 4])(
  'a lock on their rows for %f leases costs executors that live nothing',
  async (leases) => {
    await using it = await start()
    await using executor = await attachExecutor(it.address)
    const ids = await Promise.all([1, 2, 3].map(async () => (await it.jobs.start(job)).jobId))
    await executor.assigned(3)
    await holdRows(it.database, LEASE_MS * leases)
    await pause(LEASE_MS)
    expect(executor.ended).toBe(false)
    executor.succeed(...executor.assignments)
    expect((await it.jobs.wait(ids)).satisfied).toBe(true)
    for (const id of ids) expect(await it.jobs.get(id)).toMatchObject({ attempt: 1, crashCount: 0 })
  },
)

test.each([1.3, 3])(
  'a database that stands still for %f leases costs executors that live nothing',
  async (leases) => {
    const { between, stall } = gate()
    await using it = await start({ between })
    await using executor = await attachExecutor(it.address)
    const ids = await Promise.all([1, 2, 3].map(async () => (await it.jobs.start(job)).jobId))
    await executor.assigned(3)
    for (let times = 0; times < 3; times++) {
      await stall(LEASE_MS * leases)
      await pause(LEASE_MS / 3)
    }
    expect(executor.ended).toBe(false)
    executor.succeed(...executor.assignments)
    expect((await it.jobs.wait(ids)).satisfied).toBe(true)
    for (const id of ids) expect(await it.jobs.get(id)).toMatchObject({ attempt: 1, crashCount: 0 })
  },
)

test('jobs of a dead executor come back though the database blinks all the time', async () => {
  const { between, stall } = gate()
  await using it = await start({ between })
  const first = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await first.assigned(1)
  await using second = await attachExecutor(it.address)
  first.cut()
  for (let blinks = 0; second.assignments.length === 0; blinks++) {
    expect(blinks).toBeLessThan(40)
    await stall(LEASE_MS / 10)
    await pause(LEASE_MS / 10)
  }
  expect(second.assignments[0]).toMatchObject({ jobId, attempt: 2 })
})

test('an attachment that was lost is closed, and its session goes on with what nobody took', async () => {
  await using it = await start()
  const first = await attachExecutor(it.address, { slots: 1 })
  const { jobId } = await it.jobs.start(job)
  await first.assigned(1)
  const lose = 'UPDATE offstage.attachments SET end_round = 1, lost = true'
  await it.database.transaction(async (tx) => {
    await tx.query({ name: '', text: lose })
    // Nobody takes the job before the executor is back.
    await tx.query({ name: '', text: 'SELECT FROM offstage.jobs FOR UPDATE' })
    await pause(LEASE_MS / 2)
  })
  await until(() => first.ended, { what: 'the end of the lost stream' })
  expect(first.error?.code).toBe(14)
  await using again = await attachExecutor(it.address, {
    sessionId: first.sessionId,
    running: [{ jobId, attempt: 1 }],
  })
  const [fenced] = again.fenced
  const attempt = fenced === undefined ? 1 : ((await again.assigned(1))[0]?.attempt ?? 0)
  again.say({ results: [{ jobId, attempt, outcome: succeeded }] })
  expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
  expect(await it.jobs.get(jobId)).toMatchObject({ crashCount: 0 })
})

test('an executor that was robbed by mistake gets its jobs again, charges none and strands none', async () => {
  await using it = await start()
  const first = await attachExecutor(it.address, { slots: 20 })
  const ids = await Promise.all([1, 2, 3, 4].map(async () => (await it.jobs.start(job)).jobId))
  await first.assigned(4)
  // As if another replica had ended the lease and taken the jobs; the slots that are left claim them again.
  const release = `
    UPDATE offstage.jobs SET state = 2, attachment_id = NULL, crash_count = 1,
      crashed_sessions = (SELECT array_agg(session_key) FROM offstage.attachments) WHERE state = 3`
  await it.database.query({ name: '', text: release })
  await until(() => first.ended, { what: 'the end of the robbed stream' })
  await using again = await attachExecutor(it.address, {
    sessionId: first.sessionId,
    running: ids.map((jobId) => ({ jobId, attempt: 1 })),
    auto: true,
  })
  expect((await it.jobs.wait(ids)).satisfied).toBe(true)
  expect(again.assignments.map(({ jobId }) => jobId).sort()).toEqual([...ids].sort())
  for (const id of ids) expect(await it.jobs.get(id)).toMatchObject({ crashCount: 0 })
})

test('a session that comes back takes back what it was charged with', async () => {
  await using it = await start({ config: { crashLimit: 3 } })
  const first = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await first.assigned(1)
  first.cut()
  await until(async () => (await it.jobs.get(jobId)).crashCount === 1)
  await using again = await attachExecutor(it.address, {
    sessionId: first.sessionId,
    running: [{ jobId, attempt: 1 }],
    auto: true,
  })
  await until(() => again.fenced.length === 1)
  expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
  expect(await it.jobs.get(jobId)).toMatchObject({ attempt: 2, crashCount: 0 })
})

test.each([0, 1])(
  'an executor that gave its session up with its lease is charged nothing, after %i crashes counted',
  async (crashCount) => {
    await using it = await start()
    const first = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await first.assigned(1)
    first.cut()
    await until(async () => (await it.jobs.get(jobId)).crashCount === crashCount)
    await using again = await attachExecutor(it.address, {
      lostSessionId: first.sessionId,
      auto: true,
    })
    expect((await again.assigned(1))[0]).toMatchObject({ jobId, attempt: 2 })
    expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
    expect(await it.jobs.get(jobId)).toMatchObject({ crashCount: 0 })
  },
)

test('a storm of streams with one session id keeps nobody else from the database', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { auto: true })
  const { sessionId } = await attachExecutor(it.address, { methods: ['test.other'] })
  const oneStream = async () => {
    const stream = await attachExecutor(it.address, {
      sessionId,
      methods: ['test.other'],
      welcome: false,
    })
    await pause(30)
    stream.cut()
  }
  let answered = 0
  let over = false
  const calls = (async () => {
    while (!over) {
      const { jobId } = await it.jobs.start(job, { waitMs: 5_000 })
      expect((await it.jobs.get(jobId)).state).toBe(JobState.JOB_STATE_SUCCEEDED)
      answered++
    }
  })()
  const storm: Promise<void>[] = []
  // However slow the machine is, it blows until somebody else was served.
  while (storm.length < 300 || answered === 0) {
    storm.push(oneStream())
    await pause(5)
  }
  await Promise.all(storm)
  await pause(LEASE_MS)
  over = true
  await calls
  expect(executor.ended).toBe(false)
  const { rows } = await it.database.query<{ live: number }>({
    name: '',
    text: `SELECT count(*) AS live FROM offstage.attachments
      WHERE session_id = '${sessionId}' AND end_round IS NULL`,
  })
  expect(rows[0]?.live).toBeLessThanOrEqual(1)
})

test('streams of a session whose turn is held up take one connection between them', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { auto: true })
  const other = { methods: ['test.other'], sessionId: randomUUID() }
  await using _first = await attachExecutor(it.address, other)
  await using outside = await openPostgres({ url: it.url, poolSize: 1 })
  await using streams = new AsyncDisposableStack()
  await outside.transaction(async (tx) => {
    const hold = `
      SELECT pg_advisory_xact_lock(hashtextextended(session_key::text, 0))
      FROM offstage.attachments WHERE session_id = '${other.sessionId}'`
    await tx.query({ name: '', text: hold })
    const storm = await Promise.all(
      Array.from({ length: 20 }, () =>
        attachExecutor(it.address, { ...other, welcome: false, silent: true }),
      ),
    )
    for (const stream of storm) streams.use(stream)
    // All but the one whose turn it is, and the newest.
    await until(() => storm.filter(({ ended }) => ended).length === 18, { what: 'the refused' })
    const { jobId } = await it.jobs.start(job, { waitMs: 5_000 })
    expect((await it.jobs.get(jobId)).state).toBe(JobState.JOB_STATE_SUCCEEDED)
    const waiting = `
      SELECT count(*)::int AS count FROM pg_locks
      WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
    // The methods are announced first, so it may be on its way.
    await expect
      .poll(() => tx.query({ name: '', text: waiting }))
      .toMatchObject({
        rows: [{ count: 1 }],
      })
  })
  expect(executor.ended).toBe(false)
})

test('calls that fill their connections keep no executor from being heard', async () => {
  await using fresh = await createFreshDatabase()
  const { url } = fresh
  await using calls = await openPostgres({ url, poolSize: 2 })
  await using work = await openPostgres({ url, poolSize: 4 })
  await using leases = await openPostgres({ url, poolSize: 4 })
  await using it = await start({
    database: calls,
    databases: { calls, listings: calls, work, leases, readsAtOnce: 10, listingsAtOnce: 1 },
  })
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  let over = false
  const sleep = { name: '', text: 'SELECT pg_sleep(0.1)' }
  const flood = Promise.all(
    Array.from({ length: 20 }, async () => {
      while (!over) await calls.query(sleep)
    }),
  )
  await pause(LEASE_MS * 3)
  executor.succeed(...executor.assignments)
  await until(() => executor.acknowledged.length === 1)
  over = true
  await flood
  expect(executor.ended).toBe(false)
  expect(await it.jobs.get(jobId)).toMatchObject({ attempt: 1, crashCount: 0 })
})
