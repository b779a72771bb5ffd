import { Executor, JobAttempt, JobCount } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { setUpClient } from '../testing/client-fixture.ts'

test('a record tells the root, the parameters and every attempt', async () => {
  await using it = await setUpClient()
  const startTime = new Date()
  const errorBrief = 'no luck'
  it.scheduler.attempts = [
    JobAttempt.fromPartial({ attempt: 1, executorName: 'x', lane: 2, outcome: 6, errorBrief }),
    JobAttempt.fromPartial({ attempt: 2, executorName: 'y', lane: 1, outcome: 3, startTime }),
  ]
  const job = await it.offstage.startJob('a', { n: 1 })
  const record = await job.refresh()
  expect(record).toMatchObject({ id: job.id, rootJobId: job.id, params: { n: 1 } })
  expect(record.attempts).toMatchObject([
    { attempt: 1, executorName: 'x', lane: 'task', outcome: 'failed', errorBrief },
    { attempt: 2, executorName: 'y', lane: 'inline', outcome: 'running', startTime },
  ])
})

test('parameters that are not the JSON they say they are come as they are', async () => {
  await using it = await setUpClient()
  const { id, spec } = it.scheduler.addJob()
  const bytes = Buffer.from('{no')
  Object.assign(spec, {
    params: { source: { $case: 'inline', value: bytes }, contentType: '' },
  })
  expect((await it.offstage.job(id).refresh()).params).toEqual(bytes)
})

test('jobs are counted by what is asked for, and the rest is not set', async () => {
  await using it = await setUpClient()
  const createMinute = new Date('2030-01-01T00:01:00Z')
  it.scheduler.counts = [JobCount.fromPartial({ state: 3, createMinute, count: 7n })]
  const by = ['state', 'createMinute'] as const
  expect(await it.offstage.countJobs({ methods: ['a'] }, { by })).toEqual([
    { state: 'running', method: undefined, createMinute, count: 7 },
  ])
  expect(it.scheduler.counted).toMatchObject([{ by: [1, 3], filter: { methods: ['a'] } }])
  await expect(it.offstage.countJobs({}, { by: ['owner' as 'state'] })).rejects.toThrow(
    'must be one of state, method, createMinute',
  )
})

test('executors come page after page', async () => {
  await using it = await setUpClient()
  it.scheduler.executors = ['one', 'two', 'three'].map((name) =>
    Executor.fromPartial({ name, lanes: [{ lane: 3, slots: 2, used: 1 }] }),
  )
  const names: string[] = []
  for await (const { name, lanes } of it.offstage.listExecutors()) {
    names.push(name)
    expect(lanes).toEqual([{ lane: 'work', slots: 2, used: 1 }])
  }
  expect(names).toEqual(['one', 'two', 'three'])
})
