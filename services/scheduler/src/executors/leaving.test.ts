/** Executors that leave: in order, cut off while they drain, and with something still on its way. */
import type { Database } from '@offstage/kit/database'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'

const job = { method: 'test.job' }
/** No test waits for it. */
const config = { sessionLeaseMs: 3_600_000 }
const RECORDING = ['succeed_attempts', 'requeue_attempts']
const succeeded = { $case: 'succeeded' as const, value: {} }

async function attachmentsOf(database: Database) {
  const text = 'SELECT end_round IS NOT NULL AS over, lost FROM offstage.attachments'
  const { rows } = await database.query<{ over: boolean; lost: boolean }>({ name: '', text })
  return rows
}

const gone = (database: Database) =>
  until(async () => (await attachmentsOf(database)).some(({ over }) => over), {
    what: 'an attachment that is over',
  })

test('an executor that leaves in order is over at once, and nobody takes it for lost', async () => {
  await using it = await start({ config })
  await using executor = await attachExecutor(it.address, { auto: true })
  await it.jobs.start(job, { waitMs: 5_000 })
  executor.leave()
  await gone(it.database)
  expect(await attachmentsOf(it.database)).toEqual([{ over: true, lost: false }])
  await until(() => executor.ended)
  expect(executor.error).toBeUndefined()
})

test('an assignment that crosses the word of an executor that leaves is run elsewhere at once, at no charge', async () => {
  const over = Promise.withResolvers<void>()
  // The sweep, which would find it too, comes too late.
  const between = (database: Database): Database => ({
    ...database,
    async query(statement, values) {
      if (statement.name === 'release_lost') await over.promise
      return database.query(statement, values)
    },
  })
  await using it = await start({ config, between })
  await using _sweeps = { [Symbol.asyncDispose]: async () => over.resolve() }
  // One slot: no claim is under way for another as it leaves.
  const leaving = await attachExecutor(it.address, { slots: 1 })
  const { jobId } = await it.jobs.start(job)
  await leaving.assigned(1)
  await using other = await attachExecutor(it.address, { auto: true })
  leaving.leave()
  expect((await other.assigned(1))[0]).toMatchObject({ jobId, attempt: 2 })
  expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
  expect(await it.jobs.get(jobId)).toMatchObject({ crashCount: 0 })
})

test('what an executor brings and hands back as it leaves is recorded before it is over', async () => {
  let shut = false
  const opened = Promise.withResolvers<void>()
  const between = (database: Database): Database => ({
    ...database,
    async query(statement, values) {
      if (shut && RECORDING.includes(statement.name)) await opened.promise
      return database.query(statement, values)
    },
  })
  await using it = await start({ config, between })
  const leaving = await attachExecutor(it.address, { slots: 2 })
  const started = await Promise.all([1, 2].map(() => it.jobs.start(job)))
  const [done, back] = await leaving.assigned(2)
  expect(started).toHaveLength(2)
  shut = true
  leaving.leave({
    results: [{ jobId: done?.jobId, attempt: 1, outcome: succeeded }],
    handedBack: [{ jobId: back?.jobId, attempt: 1 }],
  })
  await using other = await attachExecutor(it.address)
  expect(await attachmentsOf(it.database)).not.toContainEqual({ over: true, lost: false })
  opened.resolve()
  expect((await other.assigned(1))[0]).toMatchObject({ jobId: back?.jobId, attempt: 2 })
  await gone(it.database)
  expect(await it.jobs.get(done?.jobId ?? '')).toMatchObject({
    state: JobState.JOB_STATE_SUCCEEDED,
    attempt: 1,
  })
  expect(other.assignments).toHaveLength(1)
})

test('an executor that is cut off while it drains is left to its lease', async () => {
  await using it = await start()
  const executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  executor.say({ draining: true })
  await until(async () => {
    const text = 'SELECT draining FROM offstage.executors WHERE draining'
    return (await it.database.query({ name: '', text })).rows.length === 1
  })
  executor.cut()
  await gone(it.database)
  expect(await attachmentsOf(it.database)).toEqual([{ over: true, lost: true }])
  await until(async () => (await it.jobs.get(jobId)).crashCount === 1)
})

test('what an executor hands back as it leaves is at no charge, though its lease is shorter than that takes', async () => {
  const opened = Promise.withResolvers<void>()
  let rounds = 0
  let isHeld = false
  const between = (database: Database): Database => ({
    ...database,
    async query(statement, values) {
      if (statement.name === 'requeue_attempts') {
        isHeld = true
        await opened.promise
      }
      // Those of several leases.
      if (statement.name === 'begin_lease_round' && isHeld && ++rounds === 30) opened.resolve()
      return database.query(statement, values)
    },
  })
  await using it = await start({ config: { sessionLeaseMs: 300 }, between })
  const leaving = await attachExecutor(it.address, { slots: 1 })
  const { jobId } = await it.jobs.start(job)
  await leaving.assigned(1)
  leaving.leave({ handedBack: [{ jobId, attempt: 1 }] })
  await until(async () => (await it.jobs.get(jobId)).state === JobState.JOB_STATE_QUEUED)
  expect(await it.jobs.get(jobId)).toMatchObject({ attempt: 1, crashCount: 0 })
})
