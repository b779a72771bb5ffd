/** A change of gates and the statements that let jobs begin come one after the other, whichever is first. */

import { type Database, isConnectionError, type Queryable } from '@offstage/kit/database'
import { until } from '@offstage/testkit'
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import { JobState } from '../domain/job-state.ts'
import { Lane } from '../domain/lane.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId as newAttachmentId } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { claimJobs } from './claim-jobs.ts'
import { createGateStore } from './gates.ts'
import { insertJobs } from './insert-jobs.ts'

async function setup(options: { transactionIdleMs?: number } = {}) {
  const database = await openFreshDatabase({ poolSize: 6, ...options })
  return { database, gates: createGateStore(database) }
}

const attachmentId = newAttachmentId()
const BY = { user: 'dev', roles: ['admin'], peer: '127.0.0.1:1', call: 'a.B' }
const QUEUES = [{ method: 'test.job', lane: Lane.inline, pool: '' }]
const claim = async (database: Queryable) =>
  (await claimJobs(database, 'default', QUEUES, [attachmentId])).jobs

const insert = (database: Queryable, epoch?: number, given = {}) => {
  const begins = epoch === undefined ? undefined : attachmentId
  const job = { id: v7(), command: startCommand(given), lane: Lane.inline, attachmentId: begins }
  return insertJobs(database, [job], epoch).then((states) => states.get(job.id))
}

/** Runs `work` in a transaction that stays open until the function it resolves to is called. */
async function holdOpen(database: Database, work: (tx: Queryable) => Promise<unknown>) {
  const begun = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const done = database.transaction(async (tx) => {
    await work(tx)
    begun.resolve()
    await end.promise
  })
  await Promise.race([begun.promise, done])
  return async () => {
    end.resolve()
    await done
  }
}

/** Whether a statement waits for a lock on the table of gates. */
async function someoneWaits(database: Database): Promise<boolean> {
  const { rows } = await database.query({
    name: '',
    text: "SELECT FROM pg_locks WHERE relation = 'offstage.gate_epoch'::regclass AND NOT granted",
  })
  return rows.length > 0
}

test.each([
  ['a claim', (tx: Queryable) => claim(tx)],
  ['a plain start', (tx: Queryable) => insert(tx, 1)],
  ['another start', (tx: Queryable) => insert(tx, 1, { key: 'a' })],
])('a pause waits for %s under way', async (_, work) => {
  const { database, gates } = await setup()
  await using _database = database
  await insert(database)
  const commit = await holdOpen(database, work)
  let paused = false
  const pausing = gates.pauseMethod('default', 'test.job', BY).then(() => {
    paused = true
  })
  await until(() => someoneWaits(database), { what: 'the pause waits' })
  expect(paused).toBe(false)
  await commit()
  await pausing
})

test('what comes while a gate is being closed waits, and then finds it closed', async () => {
  const { database, gates } = await setup()
  await using _database = database
  await insert(database)
  // Prepared and planned before, as in use.
  for (let round = 0; round < 10; round++) await claimJobs(database, 'none', QUEUES, [attachmentId])
  const commit = await holdOpen(database, async (tx) => {
    const inTransaction = { transaction: (work: (tx: Queryable) => unknown) => work(tx) }
    await createGateStore(inTransaction as Database).pauseMethod('default', 'test.job', BY)
  })
  const { epoch } = await gates.read()
  const claimed = claim(database)
  const states = [insert(database, epoch), insert(database, epoch, { key: 'a' })]
  await until(() => someoneWaits(database), { what: 'they wait' })
  await commit()
  expect(await claimed).toEqual([])
  expect(await Promise.all(states)).toEqual([JobState.queued, JobState.queued])
})

test('who freezes while closing a gate does not keep jobs from beginning for long', async () => {
  const { database, gates } = await setup({ transactionIdleMs: 60_000 })
  await using _database = database
  const end = await holdOpen(database, async (tx) => {
    const inTransaction = { transaction: (work: (tx: Queryable) => unknown) => work(tx) }
    await createGateStore(inTransaction as Database).pauseMethod('default', 'test.job', BY)
  })
  const { epoch } = await gates.read()
  expect(await insert(database, epoch)).toBe(JobState.running)
  await insert(database)
  expect(await claim(database)).toHaveLength(1)
  await expect(end()).rejects.toSatisfy(isConnectionError)
})

test('readers of all tables, such as a backup, are in the way of no pause', async () => {
  const { database, gates } = await setup()
  await using _database = database
  const lock = 'LOCK TABLE offstage.gate_epoch, offstage.jobs IN ACCESS SHARE MODE'
  const end = await holdOpen(database, (tx) => tx.query({ name: '', text: lock }))
  expect(await gates.pauseNamespace('default', BY)).toBe(true)
  await end()
})

test('a pause that cannot be had in time is given up, and nothing is held up by it any more', async () => {
  const { database, gates } = await setup()
  await using _database = database
  const end = await holdOpen(database, (tx) => claim(tx))
  await expect(gates.pauseMethod('default', 'test.job', BY)).rejects.toMatchObject({
    code: '55P03',
  })
  await insert(database)
  expect(await claim(database)).toHaveLength(1)
  await end()
})

test('while nothing is paused, what lets jobs begin locks no row, and asks once for each statement', async () => {
  const { database, gates } = await setup()
  await using _database = database
  const { epoch } = await gates.read()
  await insert(database, epoch)
  await insert(database, epoch, { key: 'a' })
  await claim(database)
  const { rows } = await database.query<{ xmax: string }>({
    name: '',
    text: 'SELECT xmax FROM offstage.gate_epoch',
  })
  expect(rows).toEqual([{ xmax: '0' }])
})
