/** Data locks (row E3): who holds them, who waits for them, and when they end. */
import { randomUUID } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import type { Database, Queryable } from '@offstage/kit/database'
import { LockMode, type StartedJob, WaitCause } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectLocks } from './testing/locks.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'

const { LOCK_MODE_SHARED } = LockMode
const stack = new AsyncDisposableStack()
let it: Awaited<ReturnType<typeof start>>
let locks: ReturnType<typeof connectLocks>
let executor: ScriptedExecutor
let count = 0

beforeAll(async () => {
  it = stack.use(await start({ between: failingOnce }))
  locks = stack.use(connectLocks(it.address))
  executor = stack.use(await attachExecutor(it.address, { slots: 1_000 }))
})
afterAll(() => stack.disposeAsync())

/** The name of a statement that finds the database away once. */
let failing: string | undefined

function failingOnce(database: Database): Database {
  const checked = ({ query }: Queryable): Queryable => ({
    query(statement, values) {
      if (statement.name !== failing) return query(statement, values)
      failing = undefined
      return Promise.reject(new Error('Connection terminated unexpectedly'))
    },
  })
  return { ...database, transaction: (work) => database.transaction((tx) => work(checked(tx))) }
}

/** A name of its own. */
const newName = () => `orders/${++count}`

/** A job that runs. */
async function running(user = 'ann', spec = {}): Promise<StartedJob> {
  const job = await it.as(user).start({ method: 'test.job', ...spec })
  await until(() => executor.assignments.some(({ jobId }) => jobId === job.jobId))
  return job
}

const holding = ({ jobId }: { readonly jobId: string }) =>
  ({ holder: { $case: 'jobId', value: jobId } }) as const

function end({ jobId }: StartedJob): void {
  executor.succeed(...executor.assignments.filter((assignment) => assignment.jobId === jobId))
}

const refused = (answer: Promise<unknown>) =>
  answer.then(
    () => expect.unreachable('it was not refused'),
    ({ code, details }: { code: number; details: string }) => ({ code: status[code], details }),
  )

/** How many wait for a lock, as the database has it. */
async function untilWaiting(name: string, wanted: number): Promise<void> {
  const statement = {
    name: '',
    text: 'SELECT count(*)::int AS n FROM offstage.lock_waits WHERE name = $1',
  }
  await until(
    async () => {
      const { rows } = await it.database.query<{ n: number }>(statement, [name])
      return rows[0]?.n === wanted
    },
    { what: `${wanted} waits for ${name}` },
  )
}

test('a lock is held by one job, and a conflict names the holder, their job and since when', async () => {
  const name = newName()
  const [one, other] = [await running(), await running('ann')]
  const lock = await locks.acquire({ name, ...holding(one) }, 'ann')
  expect(lock).toMatchObject({ name, owner: 'ann', jobId: one.jobId, attempt: 1, mode: 1 })
  const refusal = await refused(locks.acquire({ name, ...holding(other) }, 'ann'))
  expect(refusal.code).toBe('ABORTED')
  const since = lock.acquireTime?.toISOString()
  expect(refusal.details).toBe(
    `the lock "${name}" is held by job ${one.jobId} of ann since ${since}`,
  )
})

test('a stranger is told who holds a lock, and not for which job; operators are', async () => {
  const name = newName()
  const [own, foreign] = [await running('ann'), await running('bob')]
  await locks.acquire({ name, ...holding(own) }, 'ann')
  const { details } = await refused(locks.acquire({ name, ...holding(foreign) }, 'bob'))
  expect(details).toContain('is held by ann since')
  expect(details).not.toContain(own.jobId)
  const found = async (user: string) =>
    (await locks.list({ pageSize: 1_000 }, user)).locks.find((lock) => lock.name === name)
  expect(await found('bob')).toBeUndefined()
  expect(await found('oz:operator')).toMatchObject({ owner: 'ann', jobId: own.jobId })
})

test('shared locks are held together, and keep an exclusive one out', async () => {
  const name = newName()
  const [one, two, three] = [await running(), await running(), await running()]
  const shared = { name, mode: LOCK_MODE_SHARED }
  await locks.acquire({ ...shared, ...holding(one) }, 'ann')
  await locks.acquire({ ...shared, ...holding(two) }, 'ann')
  await refused(locks.acquire({ name, ...holding(three) }, 'ann'))
  await locks.release({ name }, 'ann')
  const exclusive = await locks.acquire({ name, ...holding(three) }, 'ann')
  expect(exclusive.mode).toBe(LockMode.LOCK_MODE_EXCLUSIVE)
  await refused(locks.acquire({ ...shared, ...holding(one) }, 'ann'))
})

test('of several names all are taken or none', async () => {
  const [a, b, c] = [newName(), newName(), newName()]
  const [one, other] = [await running(), await running()]
  await locks.acquire({ name: b, ...holding(one) }, 'ann')
  const all = { name: a, names: [c, b], ...holding(other) }
  expect((await refused(locks.acquire(all, 'ann'))).details).toContain(`"${b}"`)
  await locks.acquire({ name: a, ...holding(one) }, 'ann')
  await locks.release({ name: a, names: [b] }, 'ann')
  const { name } = await locks.acquire(all, 'ann')
  expect(name).toBe(a)
  const { locks: held } = await locks.list({ pageSize: 1_000 }, 'ann')
  const tokens = held.filter((lock) => [a, b, c].includes(lock.name))
  expect(new Set(tokens.map(({ fencingToken }) => fencingToken)).size).toBe(1)
  expect(tokens).toHaveLength(3)
})

test('a job ends, and its lock is free, without a word to release it', async () => {
  const name = newName()
  const [one, other] = [await running(), await running()]
  const first = await locks.acquire({ name, ...holding(one) }, 'ann')
  const second = locks.acquire({ name, ...holding(other), waitMs: 30_000 }, 'ann')
  await untilWaiting(name, 1)
  end(one)
  expect(Number((await second).fencingToken)).toBeGreaterThan(Number(first.fencingToken))
})

test('an attempt that is lost holds nothing any more, and the next one begins with no lock', async () => {
  const name = newName()
  await using lost = await attachExecutor(it.address, { methods: ['test.lost'] })
  const job = await it.as('ann').start({ method: 'test.lost' })
  await lost.assigned(1)
  const other = await running()
  await locks.acquire({ name, ...holding(job) }, 'ann')
  lost.cut()
  const lock = await locks.acquire({ name, ...holding(other), waitMs: 30_000 }, 'ann')
  expect(lock.jobId).toBe(other.jobId)
  await using next = await attachExecutor(it.address, { methods: ['test.lost'] })
  const [{ attempt = 0 } = {}] = await next.assigned(1)
  expect(attempt).toBe(2)
  const stale = locks.acquire({ name: newName(), ...holding(job), attempt: 1 }, 'ann')
  expect(await refused(stale)).toMatchObject({ code: 'FAILED_PRECONDITION' })
  await refused(locks.acquire({ name, ...holding(job) }, 'ann'))
})

test('who waits longer is served first, whatever is asked for', async () => {
  const name = newName()
  const holder = await running()
  await locks.acquire({ name, ...holding(holder) }, 'ann')
  const order: number[] = []
  const waits: Promise<unknown>[] = []
  for (let n = 0; n < 6; n++) {
    const job = await running()
    const mode = n % 3 === 2 ? LOCK_MODE_SHARED : LockMode.LOCK_MODE_EXCLUSIVE
    const asked = { name, mode, ...holding(job), waitMs: 60_000 }
    waits.push(
      locks.acquire(asked, 'ann').then(({ fencingToken }) => {
        order.push(n)
        return locks.release({ name, fencingToken }, 'ann')
      }),
    )
    await untilWaiting(name, n + 1)
  }
  end(holder)
  await Promise.all(waits)
  expect(order).toEqual([0, 1, 2, 3, 4, 5])
})

test('whose turn fails for want of the database has its place still where it asks again', async () => {
  const name = newName()
  const holder = await running()
  await locks.acquire({ name, ...holding(holder) }, 'ann')
  const order: number[] = []
  const waits: Promise<unknown>[] = []
  for (let n = 0; n < 2; n++) {
    const asked = { name, ...holding(await running()), waitMs: 60_000, requestId: randomUUID() }
    const acquired = locks.acquire(asked, 'ann').catch((error) => {
      expect(status[error.code]).toBe('UNAVAILABLE')
      return locks.acquire(asked, 'ann')
    })
    const release = ({ fencingToken }: { fencingToken: bigint }) => {
      order.push(n)
      return locks.release({ name, fencingToken }, 'ann')
    }
    waits.push(acquired.then(release))
    await untilWaiting(name, n + 1)
  }
  failing = 'take_lock_turns'
  end(holder)
  await Promise.all(waits)
  expect(failing).toBeUndefined()
  expect(order).toEqual([0, 1])
})

test('a shared lock does not overtake an exclusive one that waits', async () => {
  const name = newName()
  const [reader, writer, late] = [await running(), await running(), await running()]
  const shared = { name, mode: LOCK_MODE_SHARED }
  await locks.acquire({ ...shared, ...holding(reader) }, 'ann')
  const written = locks.acquire({ name, ...holding(writer), waitMs: 60_000 }, 'ann')
  await untilWaiting(name, 1)
  const refusal = await refused(locks.acquire({ ...shared, ...holding(late) }, 'ann'))
  expect(refusal.details).toContain(`job ${writer.jobId} of ann has waited for the lock "${name}"`)
  end(reader)
  await written
})

test('a wait that is over, or given up, holds nobody up', async () => {
  const name = newName()
  const [holder, gone, next] = [await running(), await running(), await running()]
  const { fencingToken } = await locks.acquire({ name, ...holding(holder) }, 'ann')
  expect(await refused(locks.acquire({ name, ...holding(gone), waitMs: 50 }, 'ann'))).toMatchObject(
    { code: 'ABORTED' },
  )
  await untilWaiting(name, 0)
  const call = locks.call({ name, ...holding(gone), waitMs: 60_000 }, 'ann')
  await untilWaiting(name, 1)
  call.cancel()
  await untilWaiting(name, 0)
  await locks.release({ name, fencingToken }, 'ann')
  await locks.acquire({ name, ...holding(next) }, 'ann')
})

test('said again by its request id a call gets the same lock, with a new token', async () => {
  const name = newName()
  const [job, other] = [await running(), await running()]
  const asked = { name, ...holding(job), requestId: randomUUID() }
  const first = await locks.acquire(asked, 'ann')
  const wait = locks.acquire({ name, ...holding(other), waitMs: 60_000 }, 'ann')
  await untilWaiting(name, 1)
  const again = await locks.acquire(asked, 'ann')
  expect(Number(again.fencingToken)).toBeGreaterThan(Number(first.fencingToken))
  expect(await locks.release({ name, fencingToken: first.fencingToken }, 'ann')).toEqual({
    releasedCount: 0,
  })
  await locks.release({ name, fencingToken: again.fencingToken }, 'ann')
  await wait
})

test('a place in line that is to be kept is there for the next call of the request', async () => {
  const name = newName()
  const [holder, first, second] = [await running(), await running(), await running()]
  const { fencingToken } = await locks.acquire({ name, ...holding(holder) }, 'ann')
  const kept = { name, ...holding(first), requestId: randomUUID(), keepPlace: true }
  await refused(locks.acquire({ ...kept, waitMs: 20 }, 'ann'))
  const later = locks.acquire({ name, ...holding(second), waitMs: 60_000 }, 'ann')
  await untilWaiting(name, 2)
  const earlier = locks.acquire({ ...kept, waitMs: 60_000 }, 'ann')
  await locks.release({ name, fencingToken }, 'ann')
  const got = await earlier
  expect(got.jobId).toBe(first.jobId)
  await locks.release({ name, fencingToken: got.fencingToken }, 'ann')
  await later
})

test('a lock is freed by its owner and by administrators, who are recorded, and by nobody else', async () => {
  const name = newName()
  const job = await running('ann')
  await locks.acquire({ name, ...holding(job) }, 'ann')
  for (const user of ['bob', 'oz:operator', 'dev']) {
    expect(await locks.release({ name }, user)).toEqual({ releasedCount: 0 })
  }
  expect(await refused(locks.release({ name, anyOwner: true }, 'oz:operator'))).toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  expect(await locks.release({ name, anyOwner: true }, 'dev')).toEqual({ releasedCount: 1 })
  const statement = { name: '', text: 'SELECT * FROM offstage.acts WHERE targets = ARRAY[$1]' }
  const { rows } = await it.database.query(statement, [name])
  expect(rows).toMatchObject([
    { actor: 'dev', call: 'NamespaceService.ReleaseLock', owners: ['ann'], outcome: 'OK' },
  ])
})

test('a lock that is bound to a lease is free with the end of that, and others may not name it', async () => {
  const name = newName()
  const leaseId = await locks.createLease('ann')
  const holder = { $case: 'leaseId', value: leaseId } as const
  expect(await refused(locks.acquire({ name, holder }, 'bob'))).toMatchObject({
    code: 'NOT_FOUND',
  })
  const lock = await locks.acquire({ name, holder }, 'ann')
  expect(lock).toMatchObject({ owner: 'ann', leaseId, jobId: '', attempt: 0 })
  const job = await running('bob')
  const wait = locks.acquire({ name, ...holding(job), waitMs: 60_000 }, 'bob')
  await untilWaiting(name, 1)
  await locks.endLease(leaseId, 'ann')
  expect((await wait).owner).toBe('bob')
  expect(await refused(locks.acquire({ name: newName(), holder }, 'ann'))).toMatchObject({
    code: 'NOT_FOUND',
  })
})

test('a job of somebody else, one that does not run and one that is not there hold no locks', async () => {
  const name = newName()
  const job = await running('ann')
  for (const of of [holding(job), holding({ jobId: randomUUID() })]) {
    expect(await refused(locks.acquire({ name, ...of }, 'bob'))).toMatchObject({
      code: 'NOT_FOUND',
    })
  }
  const queued = await it.as('ann').start({ method: 'test.job', delay: { seconds: 1_000n } })
  expect(await refused(locks.acquire({ name, ...holding(queued) }, 'ann'))).toMatchObject({
    code: 'FAILED_PRECONDITION',
  })
})

test('bad input is refused, naming the field', async () => {
  const job = await running()
  const ask = async (asked: object) =>
    (await refused(locks.acquire({ name: 'a', ...holding(job), ...asked }, 'ann'))).details
  expect(await ask({ name: '' })).toMatch(/^name must not be empty/)
  expect(await ask({ name: 'x'.repeat(201) })).toMatch(/^name must be at most 200/)
  expect(await ask({ names: Array.from({ length: 1_000 }, (_, n) => `${n}`) })).toMatch(
    /^names must be at most 100/,
  )
  expect(await ask({ names: ['b', ''] })).toMatch(/^names\[1\] must not be empty/)
  expect(await ask({ holder: undefined })).toMatch(/^holder is required/)
  expect(await ask({ mode: 9 })).toMatch(/^mode must be/)
  expect(await ask({ attempt: -1 })).toMatch(/^attempt must/)
  expect(await ask({ waitMs: 60_001 })).toMatch(/^timeout must be within 0 and 60 s/)
  expect((await refused(locks.release({ name: '' }, 'ann'))).details).toMatch(/^name must not/)
})

test('locks are listed by name, page after page, with how many wait', async () => {
  const prefix = `list/${randomUUID()}`
  const [job, other] = [await running('lister'), await running('lister')]
  const names = Array.from({ length: 5 }, (_, n) => `${prefix}/${n}`)
  const [name = '', ...others] = names
  await locks.acquire({ name, names: others, ...holding(job) }, 'lister')
  const wait = locks.acquire({ name, ...holding(other), waitMs: 60_000 }, 'lister')
  await untilWaiting(name, 1)
  const found = []
  for (let pageToken = ''; ; ) {
    const page = await locks.list({ pageSize: 2, pageToken }, 'lister')
    found.push(...page.locks)
    pageToken = page.nextPageToken
    if (pageToken === '') break
  }
  expect(found.map((lock) => lock.name)).toEqual(names)
  expect(found.map(({ waitingCount }) => waitingCount)).toEqual([1, 0, 0, 0, 0])
  end(job)
  await wait
})

test('what is void is swept away', async () => {
  const name = newName()
  const job = await running()
  await locks.acquire({ name, ...holding(job) }, 'ann')
  end(job)
  const rows = async () => {
    const statement = { name: '', text: 'SELECT FROM offstage.locks WHERE name = $1' }
    return (await it.database.query(statement, [name])).rowCount
  }
  await until(async () => (await rows()) === 0, { timeoutMs: 30_000, what: 'no row' })
})

test('what a job waits for is explained, naming who holds it', async () => {
  const name = newName()
  const [holder, waiter, foreign] = [await running(), await running(), await running('bob')]
  await locks.acquire({ name, ...holding(holder) }, 'ann')
  const first = locks.acquire({ name, ...holding(waiter), waitMs: 60_000 }, 'ann')
  await untilWaiting(name, 1)
  const second = locks.acquire({ name, ...holding(foreign), waitMs: 60_000 }, 'bob')
  await untilWaiting(name, 2)
  expect(await it.as('ann').explain(waiter.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_LOCK,
    text: expect.stringMatching(
      `^It runs, and waits for the lock "${name}", which is held by job ${holder.jobId} of ann since `,
    ),
    holders: [holder.jobId],
  })
  const told = await it.as('bob').explain(foreign.jobId)
  expect(told).toMatchObject({ cause: WaitCause.WAIT_CAUSE_LOCK, holders: [] })
  expect(told.text).toContain('which is held by ann since')
  end(holder)
  await first
  expect((await it.as('ann').explain(waiter.jobId)).cause).toBe(WaitCause.WAIT_CAUSE_NONE)
  end(waiter)
  await second
})

test('a waiter of whom nothing is heard any more, as of a replica that was killed, loses its turn', async () => {
  const name = newName()
  const [gone, next] = [await running(), await running()]
  const stand = `INSERT INTO offstage.lock_waits (namespace, name, place, exclusive, owner, job_id, attempt, seen_time)
    VALUES ('default', $1, nextval('offstage.lock_numbers'), true, 'ann', $2, 1, clock_timestamp() + $3::float8 * interval '1 s')`
  // As long as it would be heard of.
  await it.database.query({ name: '', text: stand }, [name, gone.jobId, 60])
  expect((await refused(locks.acquire({ name, ...holding(next) }, 'ann'))).details).toContain(
    `job ${gone.jobId} of ann has waited`,
  )
  const wait = locks.acquire({ name, ...holding(next), waitMs: 60_000 }, 'ann')
  await untilWaiting(name, 2)
  const lapse = `UPDATE offstage.lock_waits SET seen_time = clock_timestamp() - interval '6 s' WHERE name = $1 AND job_id = $2`
  await it.database.query({ name: '', text: lapse }, [name, gone.jobId])
  expect((await wait).jobId).toBe(next.jobId)
})

test('a lease whose renewal is under way when it runs out is not taken for run out', async () => {
  const name = newName()
  const other = await running('bob')
  const leaseId = await locks.createLease('ann')
  await locks.acquire({ name, holder: { $case: 'leaseId', value: leaseId } }, 'ann')
  const query = (on: Queryable, text: string, values: readonly unknown[] = [leaseId]) =>
    on.query({ name: '', text }, values)
  const renewFor = (time: string) =>
    `UPDATE offstage.caller_leases SET expire_time = clock_timestamp() + interval '${time}' WHERE id = $1`
  let taking: Promise<unknown> = Promise.resolve()
  let isSettled = false
  await it.database.transaction(async (renewal) => {
    await query(it.database, renewFor('1 ms'))
    await query(renewal, renewFor('1 hour'))
    taking = refused(locks.acquire({ name, ...holding(other) }, 'bob')).finally(() => {
      isSettled = true
    })
    const waits = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%caller_leases%' AND datname = current_database()`
    await until(async () => isSettled || (await query(it.database, waits, [])).rowCount > 0)
  })
  expect(await taking).toMatchObject({ code: 'ABORTED' })
})

test('a wait whose time is up is told who holds the lock then, not who did when it began', async () => {
  const name = newName()
  const [first, second, third] = [await running('ann'), await running('ann'), await running('ann')]
  await locks.acquire({ name, ...holding(first) }, 'ann')
  const next = locks.acquire({ name, ...holding(second), waitMs: 30_000 }, 'ann')
  await untilWaiting(name, 1)
  const late = refused(locks.acquire({ name, ...holding(third), waitMs: 2_000 }, 'ann'))
  await untilWaiting(name, 2)
  await locks.release({ name }, 'ann')
  await next
  expect((await late).details).toContain(`is held by job ${second.jobId}`)
})
