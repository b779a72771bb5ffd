/** Data locks that transactions of applications hold (row E3). */
import { LockMode } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { connectLocks } from './testing/locks.ts'
import { beginSqlStarts, refusalOf } from './testing/sql-starts.ts'

const LOCK = 'SELECT offstage.lock_in_transaction($1, $2, $3::jsonb)'
const lock = (name: string, options: object = {}, namespace = 'default') =>
  [{ name: '', text: LOCK }, [namespace, name, JSON.stringify(options)]] as const

test('a lock of a transaction keeps jobs out until it is over, and theirs keep it out', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 10 } })
  using locks = connectLocks(it.address)
  const { jobId } = await it.as('ann').start({ method: 'test.job' })
  await it.executor.assigned(1)
  const holder = { $case: 'jobId', value: jobId } as const
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
    const wait = locks.acquire({ name, holder, waitMs: 60_000 }, 'ann')
    wait.catch(() => {})
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
  await using it = await beginSqlStarts({ executor: { slots: 10 } })
  using locks = connectLocks(it.address)
  const { jobId } = await it.as('ann').start({ method: 'test.job' })
  await it.executor.assigned(1)
  const holder = { $case: 'jobId', value: jobId } as const
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

test('bad input is refused, naming the field, and so is a transaction that sees the past', async () => {
  await using it = await beginSqlStarts()
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
  await using it = await beginSqlStarts({})
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
