/** Who comes first, in the queue and at a key: who was recorded first, by the database's clock (guarantee 9). */

import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import type { JobId } from '../domain/ids.ts'
import { JobState } from '../domain/job-state.ts'
import { Lane } from '../domain/lane.ts'
import type { StartCommand } from '../domain/start-command.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId as newAttachmentId } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { createJobStore, createSweepStore } from './job-store.ts'

async function setup() {
  const database = await openFreshDatabase({ poolSize: 2 })
  const attachmentId = newAttachmentId()
  return {
    attachmentId,
    store: createJobStore(database),
    sweeps: createSweepStore(database),
    job: (given: Partial<StartCommand>, id = v7()) => ({
      id,
      command: startCommand(given),
      lane: Lane.inline,
      attachmentId: undefined,
    }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

/** An id as a client makes it whose clock is years behind. */
const oldId = () => v7({ msecs: Date.UTC(2020) })

test('a job recorded later is claimed later, though its id is older', async () => {
  await using it = await setup()
  const first = it.job({})
  const second = it.job({}, oldId())
  for (const job of [first, second]) await it.store.insert([job])
  const queues = [{ method: 'test.job', lane: Lane.inline, pool: '' }]
  for (const { id } of [first, second]) {
    const { jobs } = await it.store.claim('default', queues, [it.attachmentId])
    const [claimed] = jobs
    expect(claimed?.id).toBe(id)
  }
})

test('the job that has waited longest takes the key, though the id of another is older', async () => {
  await using it = await setup()
  const holder = { ...it.job({ key: 'k' }), attachmentId: it.attachmentId }
  await it.store.insert([holder])
  const first = it.job({ key: 'k' })
  const second = it.job({ key: 'k' }, oldId())
  for (const job of [first, second]) {
    expect(await it.store.insertBehindKey([job])).toEqual(new Map([[job.id, JobState.scheduled]]))
  }
  const key = { jobId: holder.id, attachmentId: it.attachmentId, attempt: 1 }
  await it.store.succeed([{ ...key, result: undefined }])
  expect((await it.sweeps.promoteBehindKey(10)).map(({ id }) => id)).toEqual([first.id])
})

test('a start never takes a key from under a job that waits for it', async () => {
  await using it = await setup()
  const holder = { ...it.job({ key: 'k' }), attachmentId: it.attachmentId }
  await it.store.insert([holder])
  const waiting = it.job({ key: 'k' })
  await it.store.insertBehindKey([waiting])
  const key = { jobId: holder.id, attachmentId: it.attachmentId, attempt: 1 }
  await it.store.succeed([{ ...key, result: undefined }])
  const newcomer = it.job({ key: 'k' })
  expect(await it.store.insert([newcomer])).toEqual(new Map())
  expect(await it.store.findExisting([newcomer])).toMatchObject([{ id: waiting.id, by: 'key' }])
  expect((await it.store.insertBehindKey([newcomer])).size).toBe(1)
  expect((await it.sweeps.promoteBehindKey(10)).map(({ id }) => id)).toEqual([waiting.id])
  expect(await it.store.findExisting([newcomer])).toMatchObject([{ by: 'request-id' }])
  expect(await it.store.findExisting([it.job({ key: 'k' })])).toMatchObject([{ id: waiting.id }])
  // Another key, and the same key of another method, are free.
  const others = [it.job({ key: 'other' }), it.job({ key: 'k', method: 'test.two' })]
  expect((await it.store.insert(others)).size).toBe(2)
})

test('of a job of somebody else nothing is read', async () => {
  await using it = await setup()
  const job = it.job({ owner: 'ann' })
  await it.store.insert([job])
  const read = (owner?: string) => it.store.readJob('default', job.id as JobId, owner)
  expect([await read(), await read('ann')]).toMatchObject([{ owner: 'ann' }, { owner: 'ann' }])
  expect(await read('bob')).toBeUndefined()
})

test('a job that waits for its key has not been assigned to anybody', async () => {
  await using it = await setup()
  await it.store.insert([it.job({ key: 'k' })])
  const waiting = it.job({ key: 'k' })
  await it.store.insertBehindKey([{ ...waiting, attachmentId: it.attachmentId }])
  expect(await it.store.readJob('default', waiting.id as JobId)).toMatchObject({
    attempt: 0,
    sessionId: '',
    startTime: undefined,
  })
})
