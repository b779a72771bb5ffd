/** Every replica can tell which executors are attached, wherever they are. */
import { credentials } from '@grpc/grpc-js'
import { openPostgres } from '@offstage/kit/database'
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { ask } from './testing/ask.ts'
import type { Draft } from './testing/draft.ts'
import { clientOptions } from './testing/faults/faults.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

async function list(address: string, request: Draft<proto.ListExecutorsRequest>, user = 'dev') {
  const client = new proto.NamespaceServiceClient(
    address,
    credentials.createInsecure(),
    clientOptions(),
  )
  try {
    return await ask(client, client.listExecutors, proto.ListExecutorsRequest, request, user)
  } finally {
    client.close()
  }
}

test('an executor is told with all it said of itself, and with the slots its jobs take', async () => {
  await using it = await start()
  const hello = {
    name: 'worker 1',
    software: 'thing 1.2',
    labels: { rack: 'r1' },
    lanes: [
      { lane: 1, slots: 2 },
      { lane: 2, slots: 3 },
    ],
    methods: [{ name: 'b' }, { name: 'a', lane: 2 }],
  } as const
  await using executor = await attachExecutor(it.address, { slots: 2, taskSlots: 3, hello })
  const jobs = await it.jobs.startMany([{ method: 'a' }, { method: 'b' }, { method: 'b' }])
  await executor.assigned(3)
  const [told] = (await list(it.address, {})).executors
  expect(told).toMatchObject({
    sessionId: executor.sessionId,
    name: 'worker 1',
    software: 'thing 1.2',
    labels: { rack: 'r1' },
    methods: ['a', 'b'],
    lanes: [
      { lane: 1, slots: 2, used: 2 },
      { lane: 2, slots: 3, used: 1 },
    ],
    draining: false,
    inDoubt: false,
  })
  expect(told?.attachTime).toBeInstanceOf(Date)
  expect(jobs).toHaveLength(3)
  const of = async () => (await list(it.address, {})).executors[0]
  const [{ jobId = '', attempt = 0 } = {}] = executor.assignments.filter(({ lane }) => lane === 1)
  executor.say({ waiting: [{ jobId, attempt, waiting: true }] })
  await until(async () => (await of())?.lanes[0]?.used === 1, { what: 'a slot given back' })
  executor.say({ draining: true })
  await until(async () => (await of())?.draining === true, { what: 'the word that it drains' })
})

test('a job that was queued without a lane counts, and tells its attempt, in that of its method', async () => {
  await using it = await start()
  const hello = { lanes: [{ lane: 2, slots: 5 }], methods: [{ name: 'a', lane: 2 }] } as const
  await using executor = await attachExecutor(it.address, { slots: 0, hello })
  const { jobId } = await it.jobs.start({ method: 'a' })
  expect((await it.jobs.get(jobId)).attempts).toEqual([])
  executor.say({ credits: [{ lane: 2, slots: 1 }] })
  await executor.assigned(1)
  const [told] = (await list(it.address, {})).executors
  expect(told?.lanes).toEqual([{ lane: 2, slots: 5, used: 1 }])
  expect((await it.jobs.get(jobId)).attempts).toMatchObject([{ attempt: 1, lane: 2 }])
  executor.say({ handedBack: [{ jobId, attempt: 1 }] })
  await until(async () => (await it.jobs.get(jobId)).state === proto.JobState.JOB_STATE_QUEUED)
  expect((await it.jobs.get(jobId)).attempts).toMatchObject([{ attempt: 1, lane: 2, outcome: 2 }])
})

test('a replica tells the executors of another, page by page, and only of the namespace', async () => {
  await using it = await start()
  await using database = await openPostgres({ url: it.url, poolSize: 2 })
  await using other = await setup({ database })
  await using first = await attachExecutor(it.address)
  await using second = await attachExecutor(it.address)
  await using _elsewhere = await attachExecutor(it.address, { namespace: 'elsewhere' })
  const sessions: string[] = []
  let pageToken = ''
  do {
    const page = await list(other.scheduler.address, { pageSize: 1, pageToken })
    expect(page.executors).toHaveLength(1)
    sessions.push(...page.executors.map(({ sessionId }) => sessionId))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  expect(sessions.toSorted()).toEqual([first.sessionId, second.sessionId].toSorted())
  const { nextPageToken } = await list(it.address, { pageSize: 1 })
  const foreign = list(it.address, { namespace: 'elsewhere', pageToken: nextPageToken })
  await expect(foreign).rejects.toThrow('page_token does not belong to this listing')
})

test('an executor whose lease has run out is not told of any more', async () => {
  await using it = await start()
  const executor = await attachExecutor(it.address)
  expect((await list(it.address, {})).executors).toHaveLength(1)
  executor.cut()
  await until(async () => (await list(it.address, {})).executors.length === 0)
})

test('whoever may not look at executors is turned away', async () => {
  await using it = await start()
  await expect(list(it.address, {}, 'ann')).rejects.toThrow('needs one of the roles')
})
