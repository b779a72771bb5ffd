/** Data locks that transactions of applications hold (row E3). */
import { LockMode } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectLocks } from './testing/locks.ts'
import { beginSqlStarts, refusalOf } from './testing/sql-starts.ts'

const stack = new AsyncDisposableStack()
let it: Awaited<ReturnType<typeof beginSqlStarts>>
let locks: ReturnType<typeof connectLocks>

beforeAll(async () => {
  it = stack.use(await beginSqlStarts({ executor: { slots: 100 } }))
  locks = stack.use(connectLocks(it.address))
})
afterAll(() => stack.disposeAsync())

/** A job of ann's that runs. */
async function running() {
  const { jobId } = await it.as('ann').start({ method: 'test.job' })
  await until(() => it.executor.assignments.some((assigned) => assigned.jobId === jobId))
  return { jobId, holder: { $case: 'jobId', value: jobId } as const }
}

const LOCK = 'SELECT offstage.lock_in_transaction($1, $2, $3::jsonb)'
const lock = (name: string, options: object = {}, namespace = 'default') =>
  [{ name: '', text: LOCK }, [namespace, name, JSON.stringify(options)]] as const

test('a lock of a transaction keeps jobs out until it is over, and theirs keep it out', async () => {
  const { jobId, holder } = await running()
  const name = 'orders/17'
  const waiting = await it.application.transaction(async (tx) => {
    await tx.query(...lock(name))
    // It is its own, and may be taken again.
    await tx.query(...lock(name))
    const refused = locks.acquire({ name, holder }, 'ann')
    await expect(refused).rejects.toThrow(/is held by a transaction of sql:postgres since/)
    const shared = { name, holder, mode: LockMode.LOCK_MODE_SHARED }
    await expect(locks.acquire(shared, 'ann')).rejects.toThrow(/a transaction of/)
    const other = await refusalOf(it.ask(LOCK, ['default', name, '{}']))
    expect(other).toMatchObject({ code: 'OS012' })
    expect(other.message).toMatch(/is held by a transaction of sql:postgres since/)
    expect(JSON.parse(other.detail)).toMatchObject({ owner: 'sql:postgres' })
    const wait = locks.acquire({ name, holder, waitMs: 60_000 }, 'ann')
    wait.catch(() => {})
    const explained = async () => (await it.as('ann').explain(jobId)).text
    await until(async () => (await explained()).includes('held by a transaction of sql:postgres'))
    // Though somebody waits for it.
    await tx.query(...lock(name))
    return { wait }
  })
  const held = await waiting.wait
  const refused = await refusalOf(it.ask(LOCK, ['', name, '{"wait_ms": 60}']))
  expect(refused).toMatchObject({ code: 'OS012' })
  expect(refused.message).toMatch(/^the lock "orders\/17" is held by ann since /)
  expect(JSON.parse(refused.detail)).toMatchObject({ reason: 'LOCK_TAKEN', owner: 'ann' })
  // Elsewhere the name is another.
  await it.ask(LOCK, ['elsewhere', name, '{}'])
  const got = it.ask(LOCK, ['', name, '{"wait_ms": 60000}'])
  await locks.release({ name, fencingToken: held.fencingToken }, 'ann')
  await got
})

test('shared locks of transactions and jobs go together, and a rollback frees them', async () => {
  const { holder } = await running()
  const name = 'orders/18'
  const rolledBack = it.application.transaction(async (tx) => {
    await tx.query(...lock(name, { mode: 'shared' }))
    await locks.acquire({ name, holder, mode: LockMode.LOCK_MODE_SHARED }, 'ann')
    await locks.release({ name }, 'ann')
    await expect(locks.acquire({ name, holder }, 'ann')).rejects.toThrow(/a transaction of/)
    throw new Error('rolled back')
  })
  await expect(rolledBack).rejects.toThrow('rolled back')
  await locks.acquire({ name, holder }, 'ann')
})

test('one that is refused has not been in the way of others meanwhile', async () => {
  const { holder } = await running()
  const name = 'orders/19'
  await locks.acquire({ name, holder, mode: LockMode.LOCK_MODE_SHARED }, 'ann')
  await it.application.transaction(async (tx) => {
    await tx.query(...lock(name, { mode: 'shared' }))
    // Had it tried for the lock of the server, that of the other transaction would be told.
    const refusal = await refusalOf(it.ask(LOCK, ['', name, '{}']))
    expect(refusal.message).toMatch(/is held by ann since/)
  })
})

test('transactions that wait for one another are a deadlock that PostgreSQL finds, rows among what they wait for', async () => {
  await it.ask('CREATE TABLE public.rows (id int PRIMARY KEY)')
  await it.ask('INSERT INTO public.rows VALUES (1)')
  const wait = { wait_ms: 60_000 }
  const row = { name: '', text: 'SELECT FROM public.rows FOR UPDATE' }
  const has = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const ends = await Promise.allSettled([
    it.application.transaction(async (tx) => {
      await tx.query(...lock('a'))
      has[0].resolve()
      await has[1].promise
      await tx.query(row)
    }),
    it.application.transaction(async (tx) => {
      await tx.query(row)
      has[1].resolve()
      await has[0].promise
      await tx.query(...lock('a', wait))
    }),
  ])
  const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
  expect(refused).toMatchObject([{ code: '40P01' }])
})

test('a call that waits for a transaction which waits for what the caller holds is refused', async () => {
  const { holder } = await running()
  await it.ask('CREATE TABLE public.locked (id int)')
  const lockRows = { name: '', text: 'LOCK TABLE public.locked' }
  await locks.acquire({ name: 'orders/20', holder }, 'ann')
  const has = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  // What has the other lock waits for a row of one that waits for this lock.
  const last = it.application.transaction(async (tx) => {
    await tx.query(lockRows)
    has[0].resolve()
    await tx.query(...lock('orders/20', { wait_ms: 60_000 }))
  })
  await has[0].promise
  const middle = it.application.transaction(async (tx) => {
    await tx.query(...lock('orders/21'))
    has[1].resolve()
    await tx.query(lockRows)
  })
  await has[1].promise
  const wait = locks.acquire({ name: 'orders/21', holder, waitMs: 60_000 }, 'ann')
  await expect(wait).rejects.toThrow(
    /you would wait for the lock "orders\/21" that a transaction of sql:postgres holds .* waits for what a transaction of sql:postgres has locked in the database, .* waits for the lock "orders\/20" that you hold/,
  )
  await locks.release({ name: 'orders/20' }, 'ann')
  await Promise.all([last, middle])
})

test('bad input is refused, naming the field, and so is a transaction that sees the past', async () => {
  const refused = async (...values: unknown[]) => (await refusalOf(it.ask(LOCK, values))).message
  expect(await refused('', '', '{}')).toMatch(/^name must be 1 to 200 characters/)
  expect(await refused('', 'a', '{"mode": "mine"}')).toMatch(/^mode must be exclusive or shared/)
  expect(await refused('', 'a', '{"wait_ms": -1}')).toMatch(/^wait_ms must be within 0 and 60000/)
  expect(await refused('', 'a', '{"waitMs": 1}')).toMatch(/^options has no "waitMs"/)
  expect(await refused('no such', 'a', '{}')).toMatch(/^namespace must be/)
  const past = it.application.transaction(async (tx) => {
    await tx.query({ name: '', text: 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ' })
    await tx.query(...lock('a'))
  })
  expect((await refusalOf(past)).message).toMatch(/isolation READ COMMITTED alone/)
})

test('a transaction takes no more locks than leave some of the server to others, and is told so', async () => {
  const refused = it.application.transaction(async (tx) => {
    await tx.query({ name: '', text: "SELECT set_config('offstage.starts_in_hand', '4999', true)" })
    await tx.query(...lock('last'))
    await tx.query(...lock('one more'))
  })
  const refusal = await refusalOf(refused)
  expect(refusal).toMatchObject({ code: 'OS001' })
  expect(refusal.message).toMatch(/^name is one too many: a transaction may take 5000 data locks/)
  // What is rolled back is not in hand any more.
  await it.application.transaction(async (tx) => {
    await tx.query(...lock('last'))
  })
})
