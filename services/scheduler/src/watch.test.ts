import { randomUUID } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { createInProcessBus } from '@offstage/kit/bus'
import {
  type JobEvent,
  JobState,
  ListJobsRequest,
  type ListJobsResponse,
} from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { complete, type Draft } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { connectJobs, setup } from './testing/setup.ts'
import { openWatch } from './testing/watch.ts'

const job = { method: 'test.job' }
const { JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED, JOB_STATE_UNSPECIFIED } = JobState

/** What a person would tell of an event. */
function story(events: readonly JobEvent[]): string[] {
  return events.map(({ event }) => {
    switch (event?.$case) {
      case 'state':
        return `state ${event.value}`
      case 'progress':
        return `progress ${event.value.percent} ${event.value.text}`
      case 'message':
        return `message ${event.value.sequence} ${event.value.text}`
      case 'completion':
        return `completion ${event.value.state}`
      default:
        return 'nothing'
    }
  })
}

test('a watch tells state, progress, messages and the end in order, and ends with its jobs', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  const [assignment] = await executor.assigned(1)
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId }] })
  await until(() => watch.events.length === 1)
  executor.say({
    progress: [{ jobId, attempt: 1, progress: { percent: 40, text: 'reading', extra: { n: 1 } } }],
    messages: [1, 2].map((number) => ({ jobId, attempt: 1, number, text: `line ${number}` })),
  })
  await until(() => watch.events.length === 4)
  if (assignment !== undefined) executor.succeed(assignment)
  watch.halfClose()
  await until(() => watch.ended)
  const told = story(watch.events)
  expect(told.at(0)).toBe(`state ${JOB_STATE_RUNNING}`)
  expect(told.at(-1)).toBe(`completion ${JOB_STATE_SUCCEEDED}`)
  expect([...told.slice(1, 4)].sort()).toEqual([
    'message 1 line 1',
    'message 2 line 2',
    'progress 40 reading',
  ])
})

test('a listing tells how far each job has come', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  const progress = { percent: 40, text: 'reading', extra: { n: 1 } }
  executor.say({ progress: [{ jobId, attempt: 1, progress }] })
  await until(async () => (await it.jobs.list()).jobs[0]?.progress !== undefined)
  expect((await it.jobs.list()).jobs).toMatchObject([{ jobId, progress }])
})

test('what PostgreSQL cannot hold in a report does not hold up the others', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  const assignments = await executor.assigned(1)
  const extra = { 'a\0b': 'c\0d', kept: '\\u0000' }
  executor.say({
    progress: [{ jobId, attempt: 1, progress: { percent: Number.NaN, text: 'a\0b', extra } }],
    messages: [{ jobId, attempt: 1, number: 1, text: 'x\0y', extra }],
  })
  executor.succeed(...assignments)
  await it.jobs.wait([jobId])
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId }] })
  watch.halfClose()
  await until(() => watch.ended)
  const told = story(watch.events)
  expect(told).toEqual(['progress 0 ab', 'message 1 xy', `completion ${JOB_STATE_SUCCEEDED}`])
  const [, message] = watch.events
  expect(message?.event?.value).toMatchObject({ extra: { ab: 'cd', kept: '\\u0000' } })
})

test('an extra over its limits is left out, and the rest of the report is kept', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  const assignments = await executor.assigned(1)
  // Lists of this depth can still be read here, but not where one more message is around them.
  let deep: unknown = 1
  for (let level = 1; level < 40; level += 1) deep = [deep]
  const large = 'x'.repeat(20_000)
  executor.say({
    progress: [{ jobId, attempt: 1, progress: { percent: 5, text: 'deep', extra: { deep } } }],
    messages: [{ deep }, { large }, { fits: true }].map((extra, index) => ({
      jobId,
      attempt: 1,
      number: index + 1,
      text: `line ${index + 1}`,
      extra,
    })),
  })
  executor.succeed(...assignments)
  await it.jobs.wait([jobId])
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId }] })
  watch.halfClose()
  await until(() => watch.ended)
  expect(watch.events.slice(0, 4).map(({ event }) => event?.value)).toMatchObject([
    { text: 'deep', extra: undefined },
    { text: 'line 1', extra: undefined },
    { text: 'line 2', extra: undefined },
    { text: 'line 3', extra: { fits: true } },
  ])
})

test('a frame that cannot be decoded ends its own stream, says why, and is no concern of others', async () => {
  await using it = await start()
  await using other = await attachExecutor(it.address)
  await using executor = await attachExecutor(it.address)
  let deep: unknown = 1
  for (let level = 0; level < 200; level += 1) deep = [deep]
  executor.say({ messages: [{ jobId: randomUUID(), attempt: 1, number: 1, extra: { deep } }] })
  await until(() => executor.ended)
  expect(executor.error?.code).toBe(status.INVALID_ARGUMENT)
  expect(executor.error?.details).toMatch(/the message cannot be decoded: .*recursion limit/)
  const { jobId } = await it.jobs.start(job)
  other.succeed(...(await other.assigned(1)))
  expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
  expect(other.ended).toBe(false)
})

test('messages are replayed from a sequence number, while the job runs and after', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  const assignments = await executor.assigned(1)
  const messages = [1, 2, 3].map((number) => ({
    jobId,
    attempt: 1,
    number,
    text: `line ${number}`,
  }))
  executor.say({ messages })
  // Sent twice, as after a reconnect: recorded once.
  executor.say({ messages })
  executor.succeed(...assignments)
  await it.jobs.wait([jobId])
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId, afterSequence: 1 }] })
  watch.halfClose()
  await until(() => watch.ended)
  expect(story(watch.events)).toEqual([
    'message 2 line 2',
    'message 3 line 3',
    `completion ${JOB_STATE_SUCCEEDED}`,
  ])
})

test('a job taken out and added by one request stays watched, and its story is told afresh', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  const assignments = await executor.assigned(1)
  executor.say({
    progress: [{ jobId, attempt: 1, progress: { percent: 40, text: 'reading' } }],
    messages: [{ jobId, attempt: 1, number: 1, text: 'line 1' }],
  })
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId }] })
  await until(() => watch.events.length === 3)
  watch.say({ add: [{ jobId }], removeJobIds: [jobId] })
  await until(() => watch.events.length === 6)
  executor.succeed(...assignments)
  watch.halfClose()
  await until(() => watch.ended)
  expect(story(watch.events.slice(3))).toEqual([
    `state ${JOB_STATE_RUNNING}`,
    'progress 40 reading',
    'message 1 line 1',
    `completion ${JOB_STATE_SUCCEEDED}`,
  ])
})

test('a stream that is full takes as many new jobs as one request takes out', async () => {
  await using it = await start()
  using watch = openWatch(it.jobs.raw)
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const { jobId } = await it.jobs.start(job)
  watch.say({ add: [{ jobId }] })
  await until(() => watch.events.length === 1)
  const others = Array.from({ length: 9_999 }, () => ({ jobId: randomUUID() }))
  watch.say({ add: [...others, { jobId: randomUUID() }], removeJobIds: [jobId] })
  watch.halfClose()
  await until(() => watch.ended)
  expect(watch.error).toBeUndefined()
  expect(watch.events).toHaveLength(10_001)
})

test('a job that does not exist is told as such, and does not hold up the others', async () => {
  await using it = await start()
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId: randomUUID() }] })
  watch.halfClose()
  await until(() => watch.ended)
  expect(story(watch.events)).toEqual([`state ${JOB_STATE_UNSPECIFIED}`])
})

test('a watch on one replica sees what an executor of another reports', async () => {
  await using bus = createInProcessBus()
  await using it = await start({ bus })
  await using other = await setup({ database: it.database, bus })
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  const assignments = await executor.assigned(1)
  using watch = openWatch(connectJobs(other.scheduler.address).raw)
  watch.say({ add: [{ jobId }] })
  await until(() => watch.events.length === 1)
  executor.say({ progress: [{ jobId, attempt: 1, progress: { percent: 7, text: 'far away' } }] })
  await until(() => watch.events.length === 2)
  executor.succeed(...assignments)
  await until(() => watch.events.length === 3)
  expect(story(watch.events)).toEqual([
    `state ${JOB_STATE_RUNNING}`,
    'progress 7 far away',
    `completion ${JOB_STATE_SUCCEEDED}`,
  ])
})

test('an inline wait on one replica is answered though the job ends on another', async () => {
  await using bus = createInProcessBus()
  await using it = await start({ bus })
  await using other = await setup({ database: it.database, bus })
  await using _executor = await attachExecutor(it.address, { auto: true })
  const jobs = connectJobs(other.scheduler.address)
  const started = await jobs.start(job, { waitMs: 10_000 })
  expect(started.completion?.state).toBe(JOB_STATE_SUCCEEDED)
  jobs.close()
})

test('jobs are listed newest first, filtered, in pages that fit together', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { methods: ['test.job', 'test.two'] })
  const ids: string[] = []
  for (let i = 0; i < 7; i++) {
    const spec = { method: i % 2 === 0 ? 'test.job' : 'test.two', labels: { parity: `${i % 2}` } }
    ids.unshift((await it.jobs.start(spec)).jobId)
  }
  const list = (request: Draft<ListJobsRequest>) =>
    new Promise<ListJobsResponse>((resolve, reject) => {
      const full = complete<ListJobsRequest>(ListJobsRequest, request)
      it.jobs.raw.listJobs(full, (error, response) => (error ? reject(error) : resolve(response)))
    })
  const seen: string[] = []
  for (let pageToken = '', page = 0; page === 0 || pageToken !== ''; page++) {
    const answer = await list({ pageSize: 3, pageToken })
    seen.push(...answer.jobs.map(({ jobId }) => jobId))
    pageToken = answer.nextPageToken
  }
  expect(seen).toEqual(ids)
  const even = await list({ filter: { labels: { parity: '0' } } })
  const sameByMethod = await list({ filter: { methods: ['test.job'] } })
  expect(even.jobs.map(({ jobId }) => jobId)).toEqual(ids.filter((_, i) => i % 2 === 0))
  expect(sameByMethod.jobs).toEqual(even.jobs)
  const { nextPageToken } = await list({ pageSize: 1 })
  const foreign = list({ pageToken: nextPageToken, filter: { key: 'other' } })
  await expect(foreign).rejects.toThrow('page_token does not belong to this listing')
})
