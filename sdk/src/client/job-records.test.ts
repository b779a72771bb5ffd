import { expect, test } from 'vitest'
import { setUpClient } from '../testing/client-fixture.ts'
import { failed, succeeded } from '../testing/fake-completions.ts'

test('listing walks all pages, newest first', async () => {
  await using it = await setUpClient()
  for (let n = 0; n < 5; n += 1) it.scheduler.addJob(`m.${n}`)
  it.scheduler.end('job-1', failed('too far'))
  const listed: string[] = []
  for await (const { id } of it.offstage.listJobs({}, { pageSize: 2 })) listed.push(id)
  expect(listed).toEqual(['job-5', 'job-4', 'job-3', 'job-2', 'job-1'])
  const last = await it.offstage.listJobsPage({}, { pageSize: 4, pageToken: '4' })
  expect(last).toMatchObject({
    jobs: [{ id: 'job-1', state: 'failed', status: 'Faulted', brief: 'too far' }],
    nextPageToken: '',
  })
})

test('a filter says what it selects', async () => {
  await using it = await setUpClient()
  const createdFrom = new Date('2030-01-01T00:00:00Z')
  await it.offstage.listJobsPage({
    states: ['running', 'waiting'],
    methods: ['a'],
    kinds: ['scheduled'],
    labels: { team: 'air' },
    createdFrom,
  })
  expect(it.scheduler.filters).toMatchObject([
    { states: [3, 4], methods: ['a'], kinds: [3], labels: { team: 'air' }, createdFrom, key: '' },
  ])
})

test('a filter may be said as text, and what is wrong with it is told before anything is sent', async () => {
  await using it = await setUpClient()
  await it.offstage.listJobsPage({ filter: 'state:failed age:<1h', methods: ['a.*'] })
  expect(it.scheduler.filters).toMatchObject([{ text: 'state:failed age:<1h', methods: ['a.*'] }])
  const wrong = it.offstage.listJobsPage({ filter: 'state:failed stat:x' })
  await expect(wrong).rejects.toThrow('filter is wrong at character 14: stat is no field')
  expect(it.scheduler.filters).toHaveLength(1)
})

test('what is done to many jobs is a job, by one request id however often it is sent; before, it is counted', async () => {
  await using it = await setUpClient()
  it.scheduler.refusals = [{ code: 14, reason: 'SHUTTING_DOWN' }]
  const filter = { filter: 'state:running' }
  const canceling = await it.offstage.cancelJobs(filter, { reason: 'done with', graceMs: 1_500 })
  expect(canceling).toMatchObject({ name: 'offstage.cancel_jobs', state: 'queued' })
  const retrying = await it.offstage.retryJobs(
    { states: ['failed'] },
    { requestId: 'again', requiredVersion: '' },
  )
  const deleting = await it.offstage.deleteJobs({}, { all: true })
  expect([retrying.name, deleting.name]).toEqual(['offstage.retry_jobs', 'offstage.delete_jobs'])
  expect(it.scheduler.bulk).toMatchObject([
    [
      'cancel',
      {
        filter: { text: 'state:running' },
        reason: 'done with',
        grace: { seconds: 1n, nanos: 500_000_000 },
        requestId: expect.stringMatching(/^.{36}$/),
      },
    ],
    ['retry', { filter: { states: [6] }, requestId: 'again', all: false, requiredVersion: '' }],
    ['delete', { all: true, validateOnly: false }],
  ])
  const wrong = () => it.offstage.retryJobs(filter, { requiredVersion: 'a b' })
  expect(wrong).toThrow('requiredVersion must be')
  const selection = await it.offstage.deleteJobs(filter, { validateOnly: true })
  expect(selection).toEqual({ count: 3, isMore: true, sampleIds: ['job-3'] })
})

test('a job is retried by one request id however often, and deleted once, though the scheduler is unavailable', async () => {
  await using it = await setUpClient()
  const { id } = it.scheduler.addJob()
  it.scheduler.end(id, failed('no'))
  const away = { code: 14, reason: 'SHUTTING_DOWN' } as const
  it.scheduler.refusals = [away]
  expect(await it.offstage.retryJob(id)).toMatchObject({ id, state: 'queued' })
  expect(it.scheduler.retries).toMatchObject([
    { jobId: id, requestId: expect.stringMatching(/^.{36}$/) },
  ])
  it.scheduler.end(id, succeeded())
  it.scheduler.refusals = [away]
  await expect(it.offstage.deleteJob(id)).rejects.toMatchObject({ reason: 'SHUTTING_DOWN' })
  await it.offstage.deleteJob(id)
  expect(it.scheduler.jobs.size).toBe(0)
})

test('a job is pinned and unpinned, and again while the scheduler is unavailable', async () => {
  await using it = await setUpClient()
  const { id } = it.scheduler.addJob()
  it.scheduler.refusals = [{ code: 14, reason: 'SHUTTING_DOWN' }]
  await it.offstage.pinJob(id)
  expect((await it.offstage.listJobsPage()).jobs).toMatchObject([{ id, isPinned: true }])
  await it.offstage.unpinJob(id)
  expect((await it.offstage.listJobsPage()).jobs).toMatchObject([{ id, isPinned: false }])
  await expect(it.offstage.pinJob(7 as never)).rejects.toThrow('the id must be a text')
})

test('a handle forgets the end of a job that was started anew', async () => {
  await using it = await setUpClient()
  it.scheduler.onStart = () => failed('no')
  const job = await it.offstage.startJob('a')
  expect(job.isFaulted).toBe(true)
  await job.retry({ requestId: 'again' })
  expect(it.scheduler.retries).toMatchObject([{ jobId: job.id, requestId: 'again' }])
  expect(job).toMatchObject({ isCompleted: false, isFaulted: false, error: undefined })
  it.scheduler.end(job.id, succeeded('better'))
  await job.refresh()
  expect(job.result).toBe('better')
})

test('why a job waits is told with what holds it', async () => {
  await using it = await setUpClient()
  const { id } = it.scheduler.addJob()
  expect(await it.offstage.explainJob(id)).toEqual({
    cause: 'key',
    text: 'another job holds its key',
    holders: ['job-0'],
    ahead: 2,
    aheadIsMinimum: false,
    startEstimate: { earliestMs: 3_000, latestMs: 7_500 },
    executors: [],
  })
})
