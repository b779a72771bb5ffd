/** Guarantee 8, row J6: a job of somebody else looks like a missing one, to everybody but an administrator. */
import { randomUUID } from 'node:crypto'
import { JobState, KeyConflictPolicy, WaitCause } from '@offstage/proto/jobs'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const job = { method: 'test.job' }
const { WAIT_CAUSE_NO_SLOT } = WaitCause
const RETURN_RUNNING = KeyConflictPolicy.KEY_CONFLICT_POLICY_RETURN_RUNNING

test('reading and canceling a foreign job are answered as for a missing one', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const { jobId } = await it.as('alice').start(job)
  const bob = it.as('bob')
  const missing = randomUUID()
  for (const id of [jobId, missing]) {
    await expect(bob.get(id)).rejects.toThrow(`there is no job ${id}`)
    await expect(bob.cancel(id)).rejects.toThrow(`there is no job ${id}`)
  }
  expect((await bob.list()).jobs).toEqual([])
  expect((await it.jobs.get(jobId)).owner).toBe('alice')
})

test('a foreign job that holds a key is not named by the refusal, and not handed over', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const holder = await it.as('alice').start({ ...job, key: 'k' })
  const wanted = { ...job, key: 'k', keyConflictPolicy: RETURN_RUNNING }
  const refused = await it
    .as('bob')
    .start(wanted, { waitMs: 5_000 })
    .then(() => undefined, errorFromStatus)
  expect(refused).toMatchObject({ reason: 'JOB_KEY_TAKEN', metadata: {} })
  expect(`${refused?.message}${JSON.stringify(refused?.metadata)}`).not.toMatch(/alice|-/)
  await expect(it.as('alice').start({ ...job, key: 'k' })).rejects.toThrow(
    `held by job ${holder.jobId} of alice`,
  )
  for (const client of [it.as('alice'), it.jobs]) {
    await expect(client.start(wanted)).resolves.toMatchObject({ jobId: holder.jobId })
  }
})

test('waiting for ALL waits for the jobs one may see; a foreign one that ended counts for nothing', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const foreign = await it.as('alice').start(job)
  const foreignLater = await it.as('alice').start(job)
  const assignments = await executor.assigned(2)
  executor.succeed(...assignments.slice(0, 1))
  await it.jobs.wait([foreign.jobId])
  const bob = it.as('bob')
  const own = await bob.start(job)
  const ids = [own.jobId, foreign.jobId, foreignLater.jobId, randomUUID()]
  const waiting = bob.wait(ids, { timeoutMs: 500 })
  executor.succeed(...assignments.slice(1))
  const { satisfied, statuses } = await waiting
  expect(satisfied).toBe(false)
  expect(statuses.map(({ state }) => state)).toEqual([JobState.JOB_STATE_RUNNING, 0, 0, 0])
  executor.succeed(...(await executor.assigned(3)).slice(2))
  expect((await bob.wait(ids)).satisfied).toBe(true)
})

test('waiting for ANY is over at once when there is nothing one may see', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const { jobId } = await it.as('alice').start(job)
  const answers = await Promise.all(
    [jobId, randomUUID()].map((id) => it.as('bob').wait([id], { any: true })),
  )
  for (const { satisfied, statuses } of answers) {
    expect(satisfied).toBe(true)
    expect(statuses).toMatchObject([{ state: 0, completion: undefined }])
  }
})

test('which executors hold a job up is told to those who may list them, and to nobody else', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, {
    slots: 1,
    hello: { lanes: [{ lane: 1, slots: 1 }] },
  })
  const alice = it.as('alice')
  await alice.start(job)
  const { jobId } = await alice.start({ ...job, priority: -1 })
  const explained = await it.jobs.explain(jobId)
  const { sessionId } = executor
  expect(explained).toMatchObject({ cause: WAIT_CAUSE_NO_SLOT, holders: [sessionId] })
  expect(explained.executors).toMatchObject([{ sessionId }])
  expect(await alice.explain(jobId)).toEqual({
    ...explained,
    ...{ holders: [], executors: [] },
  })
})
